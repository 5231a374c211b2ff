"""All SQL. Plain functions whose first arguments are an open connection and the tenant; none of them commits."""
