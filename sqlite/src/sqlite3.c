/* SQLite as it is published, with a name of our own for everything that it exports, and with a bound
** for one function. */
#include "prefix.h"

/* snippet() of full-text search compares each match of a row with all others, and with the
** beginnings of sentences, within one call that nothing ends. The name with parentheses is its
** definition, and becomes another one; the name alone is the entry in FTS5's table of functions,
** and stays. */
struct Fts5ExtensionApi;
struct Fts5Context;
struct sqlite3_context;
struct sqlite3_value;
static void fts5SnippetFunction(
  const struct Fts5ExtensionApi *api,
  struct Fts5Context *fts,
  struct sqlite3_context *context,
  int count,
  struct sqlite3_value **values
);
#define fts5SnippetFunction(...) fts5UnboundedSnippet(__VA_ARGS__)
#include "../vendor/sqlite3.c"
#undef fts5SnippetFunction

/* The most that a row may have of matches, times matches and words: less than a second's work. */
#define SNIPPET_WORK_MAX ((sqlite3_int64)1<<28)

static void fts5SnippetFunction(
  const Fts5ExtensionApi *api,
  Fts5Context *fts,
  sqlite3_context *context,
  int count,
  sqlite3_value **values
){
  int matches = 0, words = 0;
  int code = api->xInstCount(fts, &matches);
  if( code==SQLITE_OK ) code = api->xColumnSize(fts, -1, &words);
  if( code==SQLITE_OK && (sqlite3_int64)matches*((sqlite3_int64)matches+words)>SNIPPET_WORK_MAX ){
    sqlite3_result_error_toobig(context);
  }else{
    fts5UnboundedSnippet(api, fts, context, count, values);
  }
}
