"""Work under way: claims, engine calls, events that were given up, paused targets."""
