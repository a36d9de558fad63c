#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/clock.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/backup.h"
#include "esper/services/urza/connection_pool.h"
#include "esper/services/urza/group_commit.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/objects.h"

namespace esper::urza {

/// A library whose rows lie in a database and whose objects lie beside it or in it. Reads use a
/// connection each; changes go through one thread (GroupCommit).
class DatabaseLibrary final : public Library, public WorkQueue {
  public:
    /// What a library consists of, as the place where it lies makes it.
    struct Parts {
        std::string name;  ///< of the place, for messages
        ConnectionPool::Connect connect_to_read;
        bool keeps_readers = true;
        std::unique_ptr<Database> writer;           ///< none where it cannot be changed
        std::optional<execution::Signer> signer{};  ///< with the writer
        std::string why_not{};                      ///< without the writer: why
        std::unique_ptr<Objects> objects;
        execution::KeyRing ring;
    };
    DatabaseLibrary(Parts parts, Clock& clock);

    Result<std::string> add_blueprint(const contracts::BlueprintSubmission& submission) override;
    Result<contracts::Blueprint> blueprint(std::string_view id) override;
    Result<std::vector<contracts::Blueprint>> blueprints(const PageOf& page) override;
    Status set_blueprint_status(std::string_view id, contracts::BlueprintStatus to,
                                const contracts::Actor& actor) override;
    Result<std::string> add_kernel(NewKernel kernel) override;
    Status add_verdict(std::string_view kernel, std::string verdict, execution::Seal seal,
                       std::string report) override;
    Result<KernelRecord> kernel(std::string_view id) override;
    Result<std::vector<KernelRecord>> kernels(const PageOf& page) override;
    Result<std::vector<KernelRecord>> offers(const KernelAsk& ask) override;
    Result<contracts::KernelQueryResult> query(const contracts::KernelQuery& query) override;
    Result<std::string> fetch(std::string_view id) override;
    Status deprecate(std::string_view id, const contracts::Actor& actor,
                     std::string_view reason) override;
    Result<std::vector<Reason>> why(std::string_view id,
                                    const std::optional<KernelAsk>& ask) override;
    Result<bool> file_run(const FieldRun& run) override;
    Result<std::vector<FiledReport>> reports(std::string_view blueprint) override;
    Result<std::vector<MeasuredCandidates>> measured_candidates() override;
    Result<std::vector<LedgerEntry>> ledger(std::uint64_t after, std::uint32_t limit) override;
    Result<LedgerHead> head() override;
    Result<std::vector<Error>> verify(const std::optional<LedgerHead>& remembered) override;
    Result<Collected> collect(const Retention& retention) override;
    WorkQueue& work() override { return *this; }
    Status may_change() const override;
    const execution::KeyRing& ring() const override { return ring_; }

    Result<std::string> order(const NewWork& work) override;
    Result<std::optional<Claim>> claim(std::string_view hardware, std::string_view worker,
                                       std::chrono::milliseconds lease) override;
    Status extend(const Claim& claim, std::chrono::milliseconds lease) override;
    Status finish(const Claim& claim, std::string_view result) override;
    Status attempt_failed(const Claim& claim, std::string_view error) override;
    Status hand_back(const Claim& claim) override;
    Result<std::vector<WorkRow>> work(std::optional<WorkState> state, std::string_view after,
                                      std::uint32_t limit) override;
    Result<WorkRow> work_of(std::string_view id) override;
    Status retry(std::string_view id, std::string_view actor) override;

    /// As back_up() and restore() say.
    Result<Copied> copy_into(const std::filesystem::path& folder);
    Result<Copied> copy_from(const std::filesystem::path& folder);
    /// Commits of this process so far: what many writers share.
    std::uint64_t commits() const;

  private:
    Result<ConnectionPool::Lease> reader() { return readers_.take(); }
    Status write(GroupCommit::Change change);
    Result<std::vector<KernelRecord>> select_kernels(const std::string& where,
                                                     const std::function<void(Statement&)>& bind);
    Status renew(KernelRecord present, const NewKernel& kernel);
    Status verify_blueprints(std::vector<Error>& wrong);
    Status verify_runs(std::vector<Error>& wrong);
    Status verify_kernels(std::vector<Error>& wrong);
    Result<std::vector<std::string>> ledger_digests(Database& database, std::string_view action,
                                                    std::string_view subject);

    const std::string name_, why_not_;
    Clock& clock_;
    ConnectionPool readers_;
    const std::unique_ptr<Objects> objects_;
    const execution::KeyRing ring_;
    const std::optional<execution::Signer> signer_;
    std::unique_ptr<GroupCommit> writer_;
};

/// The library in a folder: `urza.sqlite`, `objects/`, `keys/`. Where the folder cannot be written,
/// what is in it can still be read, and every change is refused with kReadOnly. Errors: as
/// open_library.
Result<std::unique_ptr<DatabaseLibrary>> open_folder_library(const std::filesystem::path& folder,
                                                             Clock& clock = system_clock());
/// To look at only, also where it could be written.
Result<std::unique_ptr<DatabaseLibrary>> open_folder_library_to_read(
    const std::filesystem::path& folder, Clock& clock = system_clock());

/// Either of them, as open_library.
Result<std::unique_ptr<DatabaseLibrary>> open_database_library(const std::string& address,
                                                               const std::string& objects);

/// The library in a PostgreSQL database, in the schema that is the address's first. `objects`: as
/// open_library. The keys are those of local_folder(). Errors: as open_library.
Result<std::unique_ptr<DatabaseLibrary>> open_postgres_library(const std::string& address,
                                                               const std::string& objects = "",
                                                               Clock& clock = system_clock());
Result<std::unique_ptr<DatabaseLibrary>> open_postgres_library_to_read(
    const std::string& address, const std::string& objects = "", Clock& clock = system_clock());

}  // namespace esper::urza
