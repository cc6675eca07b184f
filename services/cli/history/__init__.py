"""The log and the views built from it: read, proven, exported, replayed."""
