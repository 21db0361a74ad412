"""Files to series. One module for each kind of file; ``read`` finds out which kind it is.

Every reader says what it took the file for, counts what it did not understand and shows the first of it.
"""

from ptpstack.analysis.readers.contents import Contents, ReadOptions
from ptpstack.analysis.readers.recognise import FORMATS, read

__all__ = ["FORMATS", "Contents", "ReadOptions", "read"]
