"""What decides which version answers a text: the traffic table, how a gateway keeps it, and the choice itself.

The controller writes the table and gateways read it; both also exchange the list of versions and the counts of a
rollout's stage. Nothing here imports the rest of the application.
"""
