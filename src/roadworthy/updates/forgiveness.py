"""What happens to accepted failures when a failed vehicle turns out well after all.

A person who resumes a campaign accepts the failures so far, and a wave keeps only their
number. A vehicle that had fallen silent may still confirm later. If its failure was an
accepted one, the number has to fall with it: else the next failure would take its place
and the gate would never see it.
"""

import msgspec

from roadworthy.updates.campaign import Campaign

__all__ = ["recovered"]


def recovered(campaign: Campaign, wave: int, *, failed_at: float) -> Campaign:
    """Return the campaign after a failed member of a wave has confirmed.

    Args:
        campaign: as it stood.
        wave: index of the member's wave.
        failed_at: when the member had been counted as failed, Unix seconds. One that failed in
            the very moment of the resuming counts as accepted: that hides nothing.
    """
    before = campaign.waves[wave]
    if not before.forgiven or failed_at > before.forgiven_at:
        return campaign
    waves = list(campaign.waves)
    waves[wave] = msgspec.structs.replace(before, forgiven=before.forgiven - 1)
    return msgspec.structs.replace(campaign, waves=tuple(waves))
