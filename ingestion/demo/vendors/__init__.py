"""One writer per vendor: the truth of the demo in the shape of that vendor's export."""
