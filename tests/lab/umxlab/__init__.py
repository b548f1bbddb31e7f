"""Real Active Directory forests on one machine, for the tests of umx."""
