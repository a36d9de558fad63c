#include <fmt/format.h>

#include <algorithm>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/rows.h"

// What runs say of the blueprints that they tried.

namespace esper::urza {
namespace {

constexpr std::string_view kFiled = "file run";

/// What the ledger has the digest of. Reports in their order, candidates in the order of ids.
class FieldDigest {
  public:
    explicit FieldDigest(std::string_view host) { hasher_.update_field(host); }
    void add_report(std::string_view seed, std::string_view record) {
        hasher_.update_field("report").update_field(seed).update_field(record);
    }
    void add_candidates(std::string_view blueprint, std::int64_t measured, std::int64_t chosen) {
        hasher_.update_field("candidates").update_field(blueprint);
        hasher_.update_field(std::to_string(measured)).update_field(std::to_string(chosen));
    }
    std::string hex() { return hasher_.finish().hex(); }

  private:
    Sha256Hasher hasher_;
};

Status insert_reports(Database& database, const FieldRun& run,
                      const std::vector<std::string>& records, FieldDigest& digest) {
    for (std::size_t i = 0; i < records.size(); ++i) {
        ESPER_TRY(auto insert, database.prepare("INSERT INTO field_report (blueprint, record, run, "
                                                "seed) VALUES (?, ?, ?, ?)"));
        const auto& filed = run.reports[i];
        ESPER_CHECK_STATUS(insert.bind(filed.report.blueprint_id)
                               .bind(records[i])
                               .bind(run.id)
                               .bind(filed.seed)
                               .run());
        digest.add_report(filed.seed, records[i]);
    }
    return {};
}

Status insert_candidates(Database& database, const FieldRun& run, FieldDigest& digest) {
    auto candidates = run.candidates;
    std::ranges::sort(candidates, {}, &MeasuredCandidates::blueprint);
    for (const auto& c : candidates) {
        ESPER_TRY(auto insert,
                  database.prepare("INSERT INTO field_candidates (run, blueprint, measured, "
                                   "chosen) VALUES (?, ?, ?, ?)"));
        ESPER_CHECK_STATUS(
            insert.bind(run.id).bind(c.blueprint).bind(c.measured).bind(c.chosen).run());
        digest.add_candidates(c.blueprint, c.measured, c.chosen);
    }
    return {};
}

}  // namespace

Result<bool> DatabaseLibrary::file_run(const FieldRun& run) {
    std::vector<std::string> records;
    for (const auto& filed : run.reports) {
        ESPER_TRY(records.emplace_back(), contracts::to_json(filed.report));
        ESPER_CHECK_STATUS(blueprint(filed.report.blueprint_id));
    }
    for (const auto& c : run.candidates) ESPER_CHECK_STATUS(blueprint(c.blueprint));
    bool is_new = false;
    const Status stored = write([&](Database& database) -> Status {
        ESPER_TRY(auto insert,
                  database.prepare("INSERT INTO field_run (id, host) VALUES (?, ?) ON CONFLICT DO "
                                   "NOTHING"));
        ESPER_CHECK_STATUS(insert.bind(run.id).bind(run.host).run());
        is_new = database.changes() > 0;
        if (!is_new) return {};
        FieldDigest digest(run.host);
        ESPER_CHECK_STATUS(insert_reports(database, run, records, digest));
        ESPER_CHECK_STATUS(insert_candidates(database, run, digest));
        return append_entry(database, clock_.utc_ns(),
                            {"tamiyo", std::string(kFiled), run.id, digest.hex()});
    });
    ESPER_CHECK_STATUS(stored);
    return is_new;
}

Result<std::vector<FiledReport>> DatabaseLibrary::reports(std::string_view blueprint) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto select, database->prepare(fmt::format(
                               "SELECT record, run, seed, host FROM field_report JOIN field_run ON "
                               "field_run.id = run{} ORDER BY number",
                               blueprint.empty() ? "" : " WHERE blueprint = ?")));
    if (!blueprint.empty()) select.bind(blueprint);
    std::vector<FiledReport> found;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return found;
        ESPER_TRY(auto report, contracts::from_json<contracts::FieldReport>(select.text(0)));
        found.push_back({std::move(report), select.text(1), select.text(2), select.text(3)});
    }
}

Result<std::vector<MeasuredCandidates>> DatabaseLibrary::measured_candidates() {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(
        auto select,
        database->prepare(
            "SELECT blueprint, host, sum(measured), sum(chosen), count(*), "
            "sum(CASE WHEN chosen > 0 THEN 1 ELSE 0 END) FROM field_candidates JOIN field_run ON "
            "field_run.id = run GROUP BY blueprint, host ORDER BY 1, 2"));
    std::vector<MeasuredCandidates> found;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return found;
        found.push_back({select.text(0), select.text(1), select.integer(2), select.integer(3),
                         select.integer(4), select.integer(5)});
    }
}

Status DatabaseLibrary::verify_runs(std::vector<Error>& wrong) {
    ESPER_TRY(const auto database, reader());
    return each_row(
        *database, "id, host", "field_run", "id", [&](const Statement& select) -> Status {
            const auto id = select.text(0);
            FieldDigest digest(select.text(1));
            ESPER_TRY(auto reports, database->prepare("SELECT seed, record FROM field_report WHERE "
                                                      "run = ? ORDER BY number"));
            reports.bind(id);
            for (;;) {
                ESPER_TRY(const bool another, reports.step());
                if (!another) break;
                digest.add_report(reports.text(0), reports.text(1));
            }
            ESPER_TRY(auto candidates,
                      database->prepare("SELECT blueprint, measured, chosen FROM field_candidates "
                                        "WHERE run = ? ORDER BY blueprint"));
            candidates.bind(id);
            for (;;) {
                ESPER_TRY(const bool another, candidates.step());
                if (!another) break;
                digest.add_candidates(candidates.text(0), candidates.integer(1),
                                      candidates.integer(2));
            }
            ESPER_TRY(const auto filed, ledger_digests(*database, kFiled, id));
            if (std::ranges::find(filed, digest.hex()) == filed.end())
                wrong.push_back(
                    fail(UrzaError::kBadRow,
                         fmt::format(
                             "what run {} reported: the ledger has it with other content, or "
                             "not at all; somebody changed the rows. Take the database from a "
                             "copy",
                             id.substr(0, 12)))
                        .value());
            return {};
        });
}

}  // namespace esper::urza
