"""Readers of embeddings and labels, format by format.

The path is one way: a file is unpacked (`_source`); its format (`_arrays`, `_text`, `_binary`, `_tables`, `_delimited`,
`_json`) lists its contents; the choice among them (`_choice`) is read, block by block (`_rows`), into the result
(`_door`, `_labels`).
"""
