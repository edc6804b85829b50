"""The hallway: walks a message through the four rooms, in the only safe order."""
