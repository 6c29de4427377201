#include "CRE2.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

struct weir_re2 {
    explicit weir_re2(re2::StringPiece pattern, const RE2::Options &options) : re(pattern, options) {}
    RE2 re;
};

static RE2::Options quiet() {
    RE2::Options options;
    options.set_log_errors(false);
    return options;
}

extern "C" weir_re2 *weir_re2_compile(const char *pattern, size_t length, char *error, size_t error_size) {
    try {
        auto re = std::make_unique<weir_re2>(re2::StringPiece(pattern, length), quiet());
        if (re->re.ok()) return re.release();
        if (error_size > 0) {
            std::strncpy(error, re->re.error().c_str(), error_size - 1);
            error[error_size - 1] = 0;
        }
    } catch (...) {
        if (error_size > 0) {
            std::strncpy(error, "out of memory", error_size - 1);
            error[error_size - 1] = 0;
        }
    }
    return nullptr;
}

extern "C" int weir_re2_check_rewrite(const weir_re2 *re, const char *rewrite, size_t length, char *error,
                                      size_t error_size) {
    try {
        std::string reason;
        if (re->re.CheckRewriteString(re2::StringPiece(rewrite, length), &reason)) return 1;
        if (error_size > 0) {
            std::strncpy(error, reason.c_str(), error_size - 1);
            error[error_size - 1] = 0;
        }
    } catch (...) {
    }
    return 0;
}

namespace {

/// Room of a fixed size; what does not fit is noticed and left out.
struct Room {
    char *at;
    size_t left;
    bool overflowed = false;

    void put(const char *bytes, size_t count) {
        if (count > left) {
            overflowed = true;
        } else if (count > 0) {
            std::memcpy(at, bytes, count);
            at += count;
            left -= count;
        }
    }

    /// Puts the text that takes a match's place: `\0` to `\9` stand for its groups, `\\` for a backslash.
    void put(re2::StringPiece rewrite, const re2::StringPiece *groups) {
        for (size_t index = 0; index < rewrite.size(); index++) {
            char byte = rewrite[index];
            if (byte == '\\' && index + 1 < rewrite.size()) {
                byte = rewrite[++index];
                if (byte >= '0' && byte <= '9') {
                    put(groups[byte - '0'].data(), groups[byte - '0'].size());
                    continue;
                }
            }
            put(&byte, 1);
        }
    }
};

}  // namespace

extern "C" size_t weir_re2_replace_all(const weir_re2 *re, const char *text, size_t length, const char *rewrite,
                                       size_t rewrite_length, size_t searches, char *out, size_t out_size) {
    try {
        Room room{out, out_size};
        re2::StringPiece substitute(rewrite, rewrite_length);
        re2::StringPiece groups[10];
        int wanted = 1 + RE2::MaxSubmatch(substitute);
        size_t copied = 0, next = 0;
        bool found = false;
        while (next <= length && !room.overflowed) {
            if (searches-- == 0) return SIZE_MAX;
            if (!re->re.Match(re2::StringPiece(text, length), next, length, RE2::UNANCHORED, groups, wanted)) break;
            size_t begin = groups[0].data() - text, end = begin + groups[0].size();
            // Nothing, right behind a match, is no further match.
            if (found && begin == end && begin == copied) {
                next = begin + 1;
                continue;
            }
            room.put(text + copied, begin - copied);
            room.put(substitute, groups);
            copied = next = end;
            found = true;
        }
        room.put(text + copied, length - copied);
        return room.overflowed ? SIZE_MAX : out_size - room.left;
    } catch (...) {
        return SIZE_MAX;
    }
}

extern "C" int weir_re2_full_match(const weir_re2 *re, const char *text, size_t length) {
    try {
        return RE2::FullMatch(re2::StringPiece(text, length), re->re) ? 1 : 0;
    } catch (...) {
        return 0;
    }
}

extern "C" void weir_re2_free(weir_re2 *re) { delete re; }

extern "C" size_t weir_re2_needed_texts(const char *pattern, size_t length, char *texts, size_t texts_size) {
    size_t used = 0;
    try {
        re2::FilteredRE2 filter(2);
        int id = 0;
        if (filter.Add(re2::StringPiece(pattern, length), quiet(), &id) != RE2::NoError) return 0;
        std::vector<std::string> atoms;
        filter.Compile(&atoms);
        // An atom is needed when the pattern cannot match without it, whatever others are there.
        for (size_t left_out = 0; left_out < atoms.size(); left_out++) {
            std::vector<int> others, possible;
            for (size_t atom = 0; atom < atoms.size(); atom++)
                if (atom != left_out) others.push_back(static_cast<int>(atom));
            filter.AllPotentials(others, &possible);
            size_t size = atoms[left_out].size() + 1;
            if (!possible.empty() || used + size > texts_size) continue;
            std::memcpy(texts + used, atoms[left_out].c_str(), size);
            used += size;
        }
    } catch (...) {
        return 0;
    }
    return used;
}
