"""Sources: raw rows from files and the Hub, and one adapter per upstream layout that makes problems of them."""
