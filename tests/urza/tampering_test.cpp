#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "esper/services/urza/rows.h"
#include "urza/databases.h"

// Somebody who may write to the database and to the files changes one byte, or a status.

namespace esper::urza {
namespace {

using esper::testing::DatabaseHome;
using esper::testing::SmallLibrary;
using execution::KernelError;
using execution::TrustError;

/// One value of the database, to be changed and put back.
class Cell {
  public:
    Cell(DatabaseHome& home, const std::string& table, const std::string& column,
         const std::string& where)
        : name_(table + "." + column), database_(value_or_throw(home.database())) {
        if (database_->dialect() == Dialect::kSqlite)
            (void)database_->run("PRAGMA synchronous = OFF");
        auto read = value_or_throw(
            database_->prepare("SELECT " + column + " FROM " + table + " WHERE " + where));
        EXPECT_TRUE(*read.step()) << name_;
        good_ = read.text(0);
        for (const char* blob :
             {"manifest", "forge_signature", "statement", "gauntlet_signature", "report"})
            is_blob_ = is_blob_ || column == blob;
        update_ = "UPDATE " + table + " SET " + column + " = ? WHERE " + where;
    }
    const std::string& good() const { return good_; }
    const std::string& name() const { return name_; }
    /// False where the database itself refuses such a value, as PostgreSQL does a zero in a text.
    bool put(const std::string& bytes) {
        auto write = value_or_throw(database_->prepare(update_));
        return (is_blob_ ? write.bind_blob(bytes) : write.bind(bytes)).run().has_value();
    }

  private:
    std::string name_, good_, update_;
    bool is_blob_ = false;
    std::unique_ptr<Database> database_;
};

/// Changes every `step`-th byte in turn and asks `refusal` for the error. Returns how many.
int for_each_damage(const std::string& good, std::size_t step,
                    const std::function<bool(const std::string&)>& put,
                    const std::function<std::optional<Error>()>& refusal,
                    const std::function<bool(const Error&)>& names_it, const std::string& what) {
    int tried = 0;
    for (std::size_t byte = 0; byte < good.size(); byte += step, ++tried) {
        std::string bad = good;
        bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 7)));
        if (!put(bad)) continue;
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

class Tampering : public esper::testing::OverImplementations {
  protected:
    void SetUp() override {
        OverImplementations::SetUp();
        if (IsSkipped()) return;
        made_.emplace(home());
        library().add("kernel-1");
        EXPECT_TRUE(library().validate("kernel-1"));
        ask_ = library().ask();
    }
    SmallLibrary& library() { return *made_; }
    DatabaseHome& place() { return library().database_home(); }
    std::optional<Error> load_error() {
        auto loaded = library().load("kernel-1");
        if (loaded) return std::nullopt;
        // What may not be loaded is not offered either.
        const auto offers = library()->offers(ask_);
        if (offers && !offers->empty() && !loaded.error().is(UrzaError::kBadObject))
            ADD_FAILURE() << "offered: " << loaded.error().to_string();
        return loaded.error();
    }
    std::optional<Error> verify_error() {
        const auto wrong = library()->verify({});
        if (!wrong) return wrong.error();
        if (wrong->empty()) return std::nullopt;
        return wrong->front();
    }
    std::optional<SmallLibrary> made_;
    KernelAsk ask_;
};
INSTANTIATE_TEST_SUITE_P(Databases, Tampering, ::testing::ValuesIn(esper::testing::databases()),
                         name_of_implementation);

TEST_P(Tampering, EveryChangedByteOfObjectManifestAndVerdictKeepsTheKernelFromLoading) {
    int tried = 0;
    const auto damage = [&](const char* table, const char* column, const char* where,
                            const std::function<bool(const Error&)>& names_it) {
        Cell cell(place(), table, column, where);
        tried += for_each_damage(
            cell.good(), 1, [&](const auto& bytes) { return cell.put(bytes); },
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
    tried += for_each_damage(
        place().object(object), 1,
        [&](const auto& bytes) {
            place().put_object(object, bytes);
            return true;
        },
        [&] { return load_error(); }, [](const Error& e) { return e.is(UrzaError::kBadObject); },
        "object");
    EXPECT_TRUE(library().load("kernel-1"));
    EXPECT_GE(tried, 1000);
}

TEST_P(Tampering, EveryChangedByteOfARowIsFoundByVerify) {
    // A server takes longer for each.
    const std::size_t step = GetParam().name == "sqlite" ? 1 : 3;
    int tried = 0;
    const auto damage = [&](const char* table, const char* column, const char* where,
                            const std::function<bool(const Error&)>& names_it) {
        Cell cell(place(), table, column, where);
        tried += for_each_damage(
            cell.good(), step, [&](const auto& bytes) { return cell.put(bytes); },
            [&] { return verify_error(); }, names_it, cell.name());
    };
    const auto broken = [](const Error& e) { return e.is(UrzaError::kBrokenLedger); };
    const auto row = [](const Error& e) { return e.is(UrzaError::kBadRow); };
    for (const char* column : {"at", "actor", "action", "subject", "digest", "hash"})
        damage("ledger", column, "number = 2", broken);
    damage("ledger_head", "statement", "one = 1",
           [](const Error& e) { return e.is(KernelError::kBadSignature); });
    damage("blueprint", "record", "true", row);
    damage("kernel", "record", "true", row);
    EXPECT_GE(tried * static_cast<int>(step), 1000);
    EXPECT_FALSE(verify_error());
}

TEST_P(Tampering, EverythingSetToValidatedChangesNothing) {
    library().add("pending");
    library().add("rejected");
    ASSERT_TRUE(library().validate("rejected", false));
    library().sql("UPDATE kernel SET status = 'VALIDATED', latency = 0.001");
    library().sql(
        "INSERT INTO tag SELECT 'high_speed', id FROM kernel WHERE true ON CONFLICT DO NOTHING");
    const auto offers = *library()->offers(ask_);
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].manifest.artifact, "kernel-1");
    EXPECT_EQ(library()->query({})->matching_kernels.size(), 1u);
    EXPECT_TRUE(library().load("pending").error().is(TrustError::kNoVerdict));
    EXPECT_TRUE(library().load("rejected").error().is(TrustError::kRefuted));
    EXPECT_EQ(library()->verify({})->size(), 2u);
}

TEST_P(Tampering, TheVerdictOfAnotherKernelIsNoHelp) {
    library().add("pending");
    library().sql("UPDATE kernel SET status = 'VALIDATED'");
    library().sql(
        "INSERT INTO verdict (kernel, statement, gauntlet_key, gauntlet_signature, report) "
        "SELECT 'pending', statement, gauntlet_key, gauntlet_signature, report FROM verdict");
    EXPECT_TRUE(library().load("pending").error().is(TrustError::kOtherManifest));
    EXPECT_EQ(library()->offers(ask_)->size(), 1u);
}

TEST_P(Tampering, ALedgerThatWasCutIsFoundByWhoeverRemembersItsHead) {
    const LedgerHead seen = *library()->head();
    library().add("kernel-2");
    EXPECT_TRUE(library()->verify(seen)->empty()) << "more was added since";
    // The owner of the library's key cuts the ledger and signs the shorter one.
    library().sql("DELETE FROM ledger WHERE number > 1");
    const auto signer = *library().keys().signer(execution::KeyRole::kLibrary);
    const auto database = *place().database();
    ASSERT_TRUE(sign_head(*database, signer));
    EXPECT_TRUE(verify_ledger(*database, library()->ring(), {}));
    EXPECT_TRUE(
        verify_ledger(*database, library()->ring(), seen).error().is(UrzaError::kBrokenLedger));
    LedgerHead other = *read_head(*database, library()->ring());
    other.hash = std::string(64, '0');
    EXPECT_TRUE(
        verify_ledger(*database, library()->ring(), other).error().is(UrzaError::kBrokenLedger));
}

TEST(FolderLibrary, AFileThatIsNoDatabaseIsRefused) {
    const TemporaryFolder folder;
    std::ofstream(folder / "copy") << "no database at all, but long enough to be read\n";
    EXPECT_TRUE(SqliteDatabase::open(folder / "copy", SqliteDatabase::Mode::kReadWrite)
                    .error()
                    .is(UrzaError::kDamaged));
}

}  // namespace
}  // namespace esper::urza
