"""One module per gate; one function per relation that returns its rules. Each number has its reason beside it."""
