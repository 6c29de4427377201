"""Command lines of the benchmarks."""
import argparse

EXIT_USAGE = 64


class Parser(argparse.ArgumentParser):
    """argparse with the exit status that the rest of this repository uses for a wrong command line."""

    def error(self, message):
        """Ends the program."""
        self.print_usage()
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")

    def only(self, chosen, known):
        """Ends the program when something chosen is not known."""
        wrong = [name for name in chosen if name not in known]
        if wrong:
            self.error(f"not known: {', '.join(wrong)}; there are {', '.join(known)}")


def names_in(text):
    """The parts of a list given as one argument."""
    return text.split(",")
