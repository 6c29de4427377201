// RE2 behind a C face: no C++ type and no exception crosses it.
#ifndef CRE2_H
#define CRE2_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef struct weir_re2 weir_re2;

/// Compiles an RE2 pattern. On failure returns NULL and writes a NUL-terminated reason into `error` (cut to `error_size`).
weir_re2 *weir_re2_compile(const char *pattern, size_t length, char *error, size_t error_size);
/// 1 when `rewrite` is fit to take the place of the pattern's matches; on 0 a NUL-terminated reason is in `error`.
int weir_re2_check_rewrite(const weir_re2 *re, const char *rewrite, size_t length, char *error, size_t error_size);
/// Writes the text with `rewrite` in the place of every match that does not overlap the one before; returns the bytes
/// written, or SIZE_MAX when there was not enough room, or more than `searches` were needed: each may read all of the text.
/// `rewrite` must have passed the check above.
size_t weir_re2_replace_all(const weir_re2 *re, const char *text, size_t length, const char *rewrite,
                            size_t rewrite_length, size_t searches, char *out, size_t out_size);
/// 1 when the pattern matches the whole text. One thread at a time per handle keeps RE2's cache lock uncontended.
int weir_re2_full_match(const weir_re2 *re, const char *text, size_t length);
void weir_re2_free(weir_re2 *re);

/// Texts of at least two bytes that are part of everything the pattern matches once that is lower-cased: each is written
/// behind the other into `texts`, ended by a NUL. Returns how many bytes were written; a text without room is left out.
size_t weir_re2_needed_texts(const char *pattern, size_t length, char *texts, size_t texts_size);
#ifdef __cplusplus
}
#endif
#endif
