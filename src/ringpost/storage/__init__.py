"""All SQL, and what is sealed. What reads or writes is a plain function: first an open connection, then the tenant.

None of these commits; `database` does.
"""
