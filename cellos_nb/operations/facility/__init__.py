"""A laboratory over months: campaigns and cell banks as loads on machines, places and people, and where they queue."""
