"""How much of anything is taken, each well above what a cloud itself allows.

The clouds: ids under 500 bytes in practice; 50 tags on Azure and AWS, 64 labels on Google Cloud, 1,000 tags
on IBM Cloud; tag keys up to 512 characters (Azure), values up to 256; documents up to some 1.5 MB.
"""

# JSON shrinks ten- to fifty-fold; what unpacks to far more is made to keep a worker busy.
MAX_GZIP_RATIO = 250
GZIP_FREE_BYTES = 64 * 1024 * 1024  # up to here any ratio is taken
MAX_ROW_BYTES = 4 * 1024 * 1024
MAX_ID_BYTES = 1024
MAX_TYPE_BYTES = 256
MAX_NAME_BYTES = 1024
MAX_SHORT_TEXT_BYTES = 256  # group, location, account, status
MAX_TAGS = 1024
MAX_TAG_KEY_BYTES = 1024
MAX_TAG_VALUE_BYTES = 4096
MAX_DEPTH = 100
# Beyond the range of a double no comparison of a policy language is defined.
MAX_INTEGER_DIGITS = 308
