#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstring>

namespace esper::testing {

/// A disk under SQLite that fails: a VFS that hands everything to the usual one, and lets the n-th
/// write, sync or truncation from now on, and all after it, fail with `code`.
class FaultyDisk {
  public:
    /// From now on every database is opened on it.
    static void install() {
        static const bool done = [] {
            usual() = sqlite3_vfs_find(nullptr);
            static sqlite3_vfs vfs = *usual();
            vfs.zName = "faulty";
            vfs.szOsFile = static_cast<int>(sizeof(File)) + usual()->szOsFile;
            vfs.pAppData = nullptr;
            vfs.xOpen = open;
            return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK;
        }();
        (void)done;
    }
    static void fail_from(int nth, int code) {
        code_ = code;
        fired_ = false;
        left_ = nth;
    }
    static void refuse_writers(bool refuse) { no_writers_ = refuse; }
    static void mend() { left_ = 0; }
    static bool fired() { return fired_; }

  private:
    struct File {
        sqlite3_file base;
        sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    };
    static File* as(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
    static sqlite3_vfs*& usual() {
        static sqlite3_vfs* vfs = nullptr;
        return vfs;
    }
    static bool fails() {
        if (left_ == 0) return false;
        if (left_ > 1) {
            --left_;
            return false;
        }
        fired_ = true;
        return true;
    }
    /// The methods of the real file, except those that change it.
    template <typename Method, Method sqlite3_io_methods::*Member>
    struct Forward;
    template <typename... A, int (*sqlite3_io_methods::*Member)(sqlite3_file*, A...)>
    struct Forward<int (*)(sqlite3_file*, A...), Member> {
        static int call(sqlite3_file* file, A... arguments) {
            sqlite3_file* real = as(file)->real();
            return (real->pMethods->*Member)(real, arguments...);
        }
        static int failing(sqlite3_file* file, A... arguments) {
            return fails() ? code_.load() : call(file, arguments...);
        }
    };
    static void barrier(sqlite3_file* file) {
        as(file)->real()->pMethods->xShmBarrier(as(file)->real());
    }
    static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
#define ESPER_FORWARD(x) Forward<decltype(sqlite3_io_methods::x), &sqlite3_io_methods::x>::call
#define ESPER_FAILING(x) Forward<decltype(sqlite3_io_methods::x), &sqlite3_io_methods::x>::failing
        static const sqlite3_io_methods methods = {
            3,
            ESPER_FORWARD(xClose),
            ESPER_FORWARD(xRead),
            ESPER_FAILING(xWrite),
            ESPER_FAILING(xTruncate),
            ESPER_FAILING(xSync),
            ESPER_FORWARD(xFileSize),
            ESPER_FORWARD(xLock),
            ESPER_FORWARD(xUnlock),
            ESPER_FORWARD(xCheckReservedLock),
            ESPER_FORWARD(xFileControl),
            ESPER_FORWARD(xSectorSize),
            ESPER_FORWARD(xDeviceCharacteristics),
            ESPER_FORWARD(xShmMap),
            ESPER_FORWARD(xShmLock),
            barrier,
            ESPER_FORWARD(xShmUnmap),
            ESPER_FORWARD(xFetch),
            ESPER_FORWARD(xUnfetch),
        };
#undef ESPER_FORWARD
#undef ESPER_FAILING
        File* mine = as(file);
        std::memset(mine, 0, sizeof(File));
        if (no_writers_ && (flags & SQLITE_OPEN_READWRITE) != 0 &&
            (flags & SQLITE_OPEN_MAIN_DB) != 0)
            return SQLITE_CANTOPEN;
        const int code = usual()->xOpen(usual(), name, mine->real(), flags, out);
        if (mine->real()->pMethods != nullptr) mine->base.pMethods = &methods;
        return code;
    }
    static inline std::atomic<int> left_{0};
    static inline std::atomic<int> code_{SQLITE_IOERR};
    static inline std::atomic<bool> fired_{false};
    static inline std::atomic<bool> no_writers_{false};
};

}  // namespace esper::testing
