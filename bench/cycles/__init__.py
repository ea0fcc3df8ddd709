"""Drive cycles: speed traces of the regulations or of one's own, driven through controller and frames, and their energy."""
