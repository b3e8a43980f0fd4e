"""ServingCheck: loads the exported model as a server would and asks it real rows."""
