"""Whatever bytes a repository sends, the client raises an error of its own kind."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trust.conftest import NOW, Repository, image, offered

from roadworthy.base.errors import RoadworthyError
from roadworthy.trust.trusted import TrustedRepository


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), role=st.sampled_from(["timestamp", "snapshot", "targets"]))
def test_arbitrary_bytes_raise_only_typed_errors(
    director: Repository, data: bytes, role: str
) -> None:
    client = director.trusted()
    with pytest.raises(RoadworthyError):
        getattr(client, f"update_{role}")(data, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(role=st.sampled_from(["root", "timestamp", "snapshot", "targets"]), data=st.data())
def test_a_field_of_another_kind_raises_only_typed_errors(
    director: Repository, role: str, data: st.DataObject
) -> None:
    """Replace any node of a good file by any JSON value."""
    files = {
        "root": director.root(2),
        "timestamp": director.timestamp(2),
        "snapshot": director.snapshot(),
        "targets": director.director_targets(offered("ecu-1", image())),
    }
    raw = json.loads(files[role])
    path: list[str] = []
    node = raw
    while isinstance(node, dict) and node and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(node))))
        node = node[path[-1]]
    holder = raw
    for key in path[:-1]:
        holder = holder[key]
    value = data.draw(JSON)
    if holder[path[-1]] == value:
        return
    holder[path[-1]] = value
    client = TrustedRepository("director", director.root())
    client.update_timestamp(director.timestamp(), NOW)
    if role == "targets":
        client.update_snapshot(director.snapshot(), NOW)
    with pytest.raises(RoadworthyError):
        getattr(client, f"update_{role}")(json.dumps(raw).encode(), NOW)
