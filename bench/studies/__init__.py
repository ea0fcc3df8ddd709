"""Questions that take many drives to answer: the computation, apart from the commands and reports that show it."""
