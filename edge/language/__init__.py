"""Languages of the narrator: one data file each (`en.json`), compiled by `resource`, read by `parser`."""
