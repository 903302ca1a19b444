"""`equiv bench fuzz`: how fast campaigns are, what they reach, how long they take to find the bugs of broken twins."""
