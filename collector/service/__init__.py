"""The edge that runs things: builds the rooms, keeps the schedule, answers signals."""
