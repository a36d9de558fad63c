#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "esper/base/files.h"
#include "esper/services/urza/rows.h"
#include "urza/small_library.h"

// Somebody who may write to the database and to the files changes one byte, or a status.

namespace esper::urza {
namespace {

using esper::testing::SmallLibrary;
using execution::KernelError;
using execution::TrustError;

/// One value of the database, to be changed and put back.
class Cell {
  public:
    Cell(const std::filesystem::path& library, const std::string& table, const std::string& column,
         const std::string& where)
        : name_(table + "." + column) {
        EXPECT_EQ(sqlite3_open((library / "urza.sqlite").c_str(), &raw_), SQLITE_OK);
        sqlite3_exec(raw_, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
        sqlite3_busy_timeout(raw_, 10000);
        const std::string select = "SELECT " + column + " FROM " + table + " WHERE " + where;
        sqlite3_stmt* read = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(raw_, select.c_str(), -1, &read, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_step(read), SQLITE_ROW) << select;
        good_.assign(static_cast<const char*>(sqlite3_column_blob(read, 0)),
                     static_cast<std::size_t>(sqlite3_column_bytes(read, 0)));
        is_text_ = sqlite3_column_type(read, 0) == SQLITE_TEXT;
        sqlite3_finalize(read);
        const std::string update = "UPDATE " + table + " SET " + column + " = ? WHERE " + where;
        EXPECT_EQ(sqlite3_prepare_v2(raw_, update.c_str(), -1, &write_, nullptr), SQLITE_OK);
    }
    ~Cell() {
        sqlite3_finalize(write_);
        sqlite3_close(raw_);
    }
    const std::string& good() const { return good_; }
    const std::string& name() const { return name_; }
    void put(const std::string& bytes) {
        const int size = static_cast<int>(bytes.size());
        is_text_ ? sqlite3_bind_text(write_, 1, bytes.data(), size, SQLITE_TRANSIENT)
                 : sqlite3_bind_blob(write_, 1, bytes.data(), size, SQLITE_TRANSIENT);
        EXPECT_EQ(sqlite3_step(write_), SQLITE_DONE) << sqlite3_errmsg(raw_);
        sqlite3_reset(write_);
    }

  private:
    std::string name_, good_;
    bool is_text_ = false;
    sqlite3* raw_ = nullptr;
    sqlite3_stmt* write_ = nullptr;
};

/// Changes every `step`-th byte in turn and asks `refusal` for the error. Returns how many.
int for_each_damage(const std::string& good, std::size_t step,
                    const std::function<void(const std::string&)>& put,
                    const std::function<std::optional<Error>()>& refusal,
                    const std::function<bool(const Error&)>& names_it, const std::string& what) {
    int tried = 0;
    for (std::size_t byte = 0; byte < good.size(); byte += step, ++tried) {
        std::string bad = good;
        bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 7)));
        put(bad);
        const auto error = refusal();
        if (!error) {
            ADD_FAILURE() << what << ": byte " << byte << " of " << good << " was not missed";
        } else if (!names_it(*error)) {
            ADD_FAILURE() << what << ": byte " << byte << ": " << error->to_string();
        }
        if (::testing::Test::HasFailure()) break;
    }
    put(good);
    return tried;
}

class Tampering : public ::testing::Test {
  protected:
    Tampering() {
        library_.add("kernel-1");
        EXPECT_TRUE(library_.validate("kernel-1"));
    }
    std::optional<Error> load_error() {
        auto loaded = library_.load("kernel-1");
        if (loaded) return std::nullopt;
        // What may not be loaded is not offered either.
        const auto offers = library_->offers(ask_);
        if (offers && !offers->empty() && !loaded.error().is(UrzaError::kBadObject))
            ADD_FAILURE() << "offered: " << loaded.error().to_string();
        return loaded.error();
    }
    std::optional<Error> verify_error() {
        const auto wrong = library_->verify({});
        if (!wrong) return wrong.error();
        if (wrong->empty()) return std::nullopt;
        return wrong->front();
    }
    SmallLibrary library_;
    KernelAsk ask_ = library_.ask();
};

TEST_F(Tampering, EveryChangedByteOfObjectManifestAndVerdictKeepsTheKernelFromLoading) {
    int tried = 0;
    const auto damage = [&](const char* table, const char* column, const char* where,
                            const std::function<bool(const Error&)>& names_it) {
        Cell cell(library_.path(), table, column, where);
        tried += for_each_damage(
            cell.good(), 1, [&](const auto& bytes) { cell.put(bytes); },
            [&] { return load_error(); }, names_it, cell.name());
    };
    damage("kernel", "manifest", "id = 'kernel-1'", [](const Error& e) {
        return e.is(KernelError::kBadSignature) || e.is(KernelError::kBadManifest) ||
               e.is(UrzaError::kBadRow);
    });
    damage("kernel", "forge_signature", "id = 'kernel-1'",
           [](const Error& e) { return e.is(KernelError::kBadSignature); });
    damage("kernel", "forge_key", "id = 'kernel-1'",
           [](const Error& e) { return e.is(TrustError::kUnknownKey); });
    damage("verdict", "statement", "kernel = 'kernel-1'", [](const Error& e) {
        return e.is(KernelError::kBadSignature) || e.is(TrustError::kBadVerdict) ||
               e.is(UrzaError::kBadRow);
    });
    damage("verdict", "gauntlet_signature", "kernel = 'kernel-1'",
           [](const Error& e) { return e.is(KernelError::kBadSignature); });
    damage("verdict", "gauntlet_key", "kernel = 'kernel-1'",
           [](const Error& e) { return e.is(TrustError::kUnknownKey); });
    damage("verdict", "report", "kernel = 'kernel-1'",
           [](const Error& e) { return e.is(UrzaError::kBadRow); });
    const auto object = sha256("object of kernel-1").hex();
    const auto file = library_.path() / "objects" / object.substr(0, 2) / object;
    tried += for_each_damage(
        *read_file(file), 1,
        [&](const auto& bytes) { std::ofstream(file, std::ios::binary) << bytes; },
        [&] { return load_error(); }, [](const Error& e) { return e.is(UrzaError::kBadObject); },
        "object");
    EXPECT_TRUE(library_.load("kernel-1"));
    EXPECT_GE(tried, 1000);
}

TEST_F(Tampering, EveryChangedByteOfARowIsFoundByVerify) {
    int tried = 0;
    const auto damage = [&](const char* table, const char* column, const char* where,
                            std::size_t step, const std::function<bool(const Error&)>& names_it) {
        Cell cell(library_.path(), table, column, where);
        tried += for_each_damage(
            cell.good(), step, [&](const auto& bytes) { cell.put(bytes); },
            [&] { return verify_error(); }, names_it, cell.name());
    };
    const auto broken = [](const Error& e) { return e.is(UrzaError::kBrokenLedger); };
    const auto row = [](const Error& e) { return e.is(UrzaError::kBadRow); };
    for (const char* column : {"at", "actor", "action", "subject", "digest", "hash"})
        damage("ledger", column, "number = 2", 1, broken);
    damage("ledger_head", "statement", "one = 1", 1,
           [](const Error& e) { return e.is(KernelError::kBadSignature); });
    damage("blueprint", "record", "1", 1, row);
    damage("kernel", "record", "1", 1, row);
    EXPECT_GE(tried, 1000);
    EXPECT_FALSE(verify_error());
}

TEST_F(Tampering, EverythingSetToValidatedChangesNothing) {
    library_.add("pending");
    library_.add("rejected");
    ASSERT_TRUE(library_.validate("rejected", false));
    library_.sql("UPDATE kernel SET status = 'VALIDATED', latency = 0.001");
    library_.sql("INSERT OR IGNORE INTO tag SELECT 'high_speed', id FROM kernel");
    const auto offers = *library_->offers(ask_);
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].manifest.artifact, "kernel-1");
    EXPECT_EQ(library_->query({})->matching_kernels.size(), 1u);
    EXPECT_TRUE(library_.load("pending").error().is(TrustError::kNoVerdict));
    EXPECT_TRUE(library_.load("rejected").error().is(TrustError::kRefuted));
    EXPECT_EQ(library_->verify({})->size(), 2u);
}

TEST_F(Tampering, TheVerdictOfAnotherKernelIsNoHelp) {
    library_.add("pending");
    library_.sql("UPDATE kernel SET status = 'VALIDATED'");
    library_.sql(
        "INSERT INTO verdict (kernel, statement, gauntlet_key, gauntlet_signature, report) "
        "SELECT 'pending', statement, gauntlet_key, gauntlet_signature, report FROM verdict");
    EXPECT_TRUE(library_.load("pending").error().is(TrustError::kOtherManifest));
    EXPECT_EQ(library_->offers(ask_)->size(), 1u);
}

TEST_F(Tampering, ALedgerThatWasCutIsFoundByWhoeverRemembersItsHead) {
    const LedgerHead seen = *library_->head();
    library_.add("kernel-2");
    EXPECT_TRUE(library_->verify(seen)->empty()) << "more was added since";
    // The owner of the library's key cuts the ledger and signs the shorter one.
    library_.sql("DELETE FROM ledger WHERE number > 1");
    const auto signer = *library_.keys().signer(execution::KeyRole::kLibrary);
    const auto database =
        *Database::open(library_.path() / "urza.sqlite", Database::Mode::kReadWrite);
    ASSERT_TRUE(sign_head(*database, signer));
    EXPECT_TRUE(verify_ledger(*database, library_->ring(), {}));
    EXPECT_TRUE(
        verify_ledger(*database, library_->ring(), seen).error().is(UrzaError::kBrokenLedger));
    LedgerHead other = *read_head(*database, library_->ring());
    other.hash = std::string(64, '0');
    EXPECT_TRUE(
        verify_ledger(*database, library_->ring(), other).error().is(UrzaError::kBrokenLedger));
}

TEST_F(Tampering, AFileThatIsNoDatabaseIsRefused) {
    const auto file = library_.path() / "urza.sqlite";
    library_.reopen();
    std::ofstream(library_.path() / "copy") << "no database at all, but long enough to be read\n";
    EXPECT_TRUE(Database::open(library_.path() / "copy", Database::Mode::kReadWrite)
                    .error()
                    .is(UrzaError::kDamaged));
}

}  // namespace
}  // namespace esper::urza
