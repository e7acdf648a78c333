"""Free memory touched before each measurement, and whether others use the machine's memory meanwhile.

Touching has two uses. A virtual machine's host takes pages back that are long free, and getting them again would be measured.
And how long it takes tells how much of the memory's bandwidth there is: on a shared machine it comes and goes by a factor of two.
"""

import time

# A machine is quiet when touching goes at this share of the fastest that was seen.
QUIET = 0.8

# Seconds to wait for a quiet machine, in all: then measurements are made as it is, and counted.
PATIENCE = 200

# Goes by which the fastest is found at the start, and seconds between two goes.
FIRST, PAUSE = 20, 0.5


class Memory:
    """`touch` takes bytes and gives seconds; `patience` are seconds as well."""

    def __init__(self, touch, size, patience):
        self.touch, self.size, self.patience = touch, size, patience
        self.fastest, self.waited, self.made, self.noisy = 0.0, 0.0, 0, 0
        for _ in range(FIRST):
            self.is_quiet()

    def is_quiet(self):
        rate = self.size / self.touch(self.size)
        self.fastest = max(self.fastest, rate)
        return rate >= QUIET * self.fastest

    def settle(self):
        """Touches until the machine is quiet, or patience is at its end."""
        quiet = self.is_quiet()
        while not quiet and self.waited < self.patience:
            start = time.monotonic()
            time.sleep(PAUSE)
            quiet = self.is_quiet()
            self.waited += time.monotonic() - start
        self.made += 1
        self.noisy += not quiet

    def said(self):
        return (
            f"{self.made - self.noisy} of {self.made} measurements were made when free memory could be touched at {QUIET:.0%} or more"
            f" of {self.fastest / 1e9:.0f} GB/s, the others when it could not."
        )
