"""The faults by number: what is injected, what we do, what git's own helper does."""

FAULTS = {}


class Fault:
    def __init__(self, number, what, how, ours, git, alone, absent):
        self.number, self.what, self.how = number, what, how
        self.ours, self.git, self.alone, self.absent = ours, git, alone, absent


def fault(number, what, how, git=None, alone=False):
    """Marks a function as the injection of fault `number`. `git`: the same on git's cache or store. `alone`: measures
    time or needs all of the machine, so nothing else runs beside it."""
    def mark(ours):
        FAULTS[number] = Fault(number, what, how, ours, git, alone, None)
        return ours
    return mark


def absent(number, what, why):
    """A fault of the list that cannot come to us, or that another test injects."""
    FAULTS[number] = Fault(number, what, "", None, None, False, why)
