"""Floor 1: Uptane metadata, keys, signed reports and certificates, without I/O.

Way down: `repository` builds and signs metadata, `verification` (the vehicle's Primary) and
`partial` (one ECU) check it. Way up: `envelope` signs reports. `certificates` says who is who
on a connection. Keys come from bytes that the caller draws; the time is always an argument.
"""
