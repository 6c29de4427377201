#include "CRE2.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>

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
