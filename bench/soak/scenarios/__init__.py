"""The scenarios of a soak, in the order of the fault table. To add one: a file with a SCENARIO, and a line here."""

from bench.soak.scenarios import kill, roll, scale, steady

ORDER = (kill.SCENARIO, roll.SCENARIO, scale.SCENARIO, steady.SCENARIO)
