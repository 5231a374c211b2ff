"""What Ringpost is compared with, one contender a file. `bench/race.py` says what a contender is."""
