"""How an export writes its rows: their order, the threads that write them, the records of `am.jsonl.zst`."""
