/* SQLite as it is published, with a name of our own for everything that it exports. */
#include "prefix.h"
#include "../vendor/sqlite3.c"
