"""Chaos: Ringpost under load while everything around it, and itself, is killed, stopped, filled up and lied to.

`python -m chaos --minutes 60 --seed 7` (`make chaos`) runs for as long as it is told, heals everything, waits until the
outbox is empty, and says in one line what became of what was acknowledged. The tests of tests/faults use its parts one
by one: a mail server that misbehaves as told, Ringpost processes that can be killed, databases that can be taken away.

    mischief      what a mail server can do wrong, and when
    mail_server   a process with mail servers that do it, and that records every mail it took
    mail_servers  the handle on that process
    processes     Ringpost processes
    disks, locks  a small disk that can be filled, a database that nobody can write
    senders       phone systems: they post events and keep the receipts
    trouble       what happens at random
    healing       what an operator does afterwards
    oracle        what must be true at the end
"""
