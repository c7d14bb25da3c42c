"""The networks that go by a name, and how any network is found by what a user writes."""
