"""What `manage.py doctor` looks at, one noun a file: it tries each for real, and says what it found.

finding.py      what is found: a verdict, a sentence, and what mends it
examination.py  the registry, and how all are made side by side and within a time
report.py       how it is printed
the rest        what is examined; docs/doctor.md lists every check
"""
