"""The page: one HTML file in which a person walks through the graph of a backward call. No torch needed."""

from inspector.page.html import write_page
from inspector.page.index import write_index
from inspector.page.page_data import PageSource, files_of
from inspector.page.still import still_of

__all__ = ["PageSource", "files_of", "still_of", "write_index", "write_page"]
