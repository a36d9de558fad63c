#include <fmt/format.h>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/program/operators.h"
#include "esper/program/program_hash.h"
#include "esper/program/text/text_format.h"
#include "esper/services/urza/database_library.h"
#include "esper/services/urza/rows.h"

// The library's blueprints and what became of them in the field.

namespace esper::urza {
namespace {

tl::unexpected<Error> unknown_blueprint(std::string_view id) {
    return fail(UrzaError::kUnknownBlueprint,
                fmt::format("no blueprint {} in the library; esper library ls shows them", id));
}

/// The Program of a text that nobody has vouched for. Reading runs nothing.
Result<graph::ProgramPtr> read_branch(const std::string& text) {
    const auto bad = [](const Error& error) {
        return fail(UrzaError::kBadBlueprint,
                    fmt::format("a blueprint must be the text of a Program with operators that "
                                "blueprints may use: {}",
                                error.message()));
    };
    auto program = graph::from_text(text);
    if (!program) return bad(program.error());
    if (const Status allowed = graph::validate_blueprint_operators(**program); !allowed)
        return bad(allowed.error());
    return program;
}

Result<contracts::Blueprint> find_blueprint(Database& database, std::string_view id) {
    ESPER_TRY(auto select, database.prepare(fmt::format("SELECT {} FROM blueprint WHERE id = ?",
                                                        kBlueprintColumns)));
    select.bind(id);
    ESPER_TRY(const bool found, select.step());
    if (!found) return unknown_blueprint(id);
    return blueprint_of(select);
}

Status add_artifacts(Database& database, contracts::Blueprint& blueprint) {
    ESPER_TRY(auto select,
              database.prepare("SELECT id FROM kernel WHERE blueprint = ? ORDER BY id LIMIT 4096"));
    select.bind(blueprint.blueprint_id);
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return {};
        blueprint.compiled_artifacts.push_back(select.text(0));
    }
}

}  // namespace

Result<std::string> DatabaseLibrary::add_blueprint(
    const contracts::BlueprintSubmission& submission) {
    ESPER_CHECK_STATUS(contracts::check(submission));
    ESPER_TRY(const auto program, read_branch(submission.architecture));
    const contracts::Timestamp when = contracts::now(clock_);
    contracts::Blueprint blueprint;
    blueprint.blueprint_id = program->hash().hex();
    blueprint.name = submission.name;
    blueprint.description = submission.description;
    blueprint.architecture = graph::to_text(*program);
    blueprint.architecture_sha256 = sha256(blueprint.architecture).hex();
    blueprint.metadata = submission.metadata;
    blueprint.parents = submission.parents;
    blueprint.created_by = submission.submitted_by;
    blueprint.created_at = blueprint.updated_at = when;
    ESPER_TRY(const std::string record, contracts::to_json(blueprint));
    if (this->blueprint(blueprint.blueprint_id)) return blueprint.blueprint_id;
    const Status stored = write([&](Database& database) -> Status {
        ESPER_TRY(auto insert,
                  database.prepare("INSERT INTO blueprint (id, status, updated, record) VALUES (?, "
                                   "?, ?, ?) ON CONFLICT DO NOTHING"));
        insert.bind(blueprint.blueprint_id).bind(contracts::to_text(blueprint.status));
        insert.bind(contracts::to_string(when)).bind(record);
        ESPER_CHECK_STATUS(insert.run());
        if (database.changes() == 0) return {};
        for (const auto& parent : blueprint.parents) {
            ESPER_TRY(auto line,
                      database.prepare("INSERT INTO lineage (child, parent) VALUES (?, ?) "
                                       "ON CONFLICT DO NOTHING"));
            ESPER_CHECK_STATUS(line.bind(blueprint.blueprint_id).bind(parent).run());
        }
        return append_entry(
            database, when.utc_ns,
            {blueprint.created_by, "add blueprint", blueprint.blueprint_id, sha256(record).hex()});
    });
    ESPER_CHECK_STATUS(stored);
    return blueprint.blueprint_id;
}

Result<contracts::Blueprint> DatabaseLibrary::blueprint(std::string_view id) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto blueprint, find_blueprint(*database, id));
    ESPER_CHECK_STATUS(add_artifacts(*database, blueprint));
    return blueprint;
}

Result<std::vector<contracts::Blueprint>> DatabaseLibrary::blueprints(const PageOf& page) {
    ESPER_TRY(const auto database, reader());
    ESPER_TRY(auto select,
              database->prepare(fmt::format(
                  "SELECT {} FROM blueprint WHERE id > ? ORDER BY id LIMIT ?", kBlueprintColumns)));
    select.bind(page.after).bind(static_cast<std::int64_t>(page.limit));
    std::vector<contracts::Blueprint> found;
    for (;;) {
        ESPER_TRY(const bool more, select.step());
        if (!more) return found;
        ESPER_TRY(auto blueprint, blueprint_of(select));
        ESPER_CHECK_STATUS(add_artifacts(*database, blueprint));
        found.push_back(std::move(blueprint));
    }
}

Status DatabaseLibrary::set_blueprint_status(std::string_view id, contracts::BlueprintStatus to,
                                             const contracts::Actor& actor) {
    const contracts::Timestamp when = contracts::now(clock_);
    return write([&](Database& database) -> Status {
        ESPER_TRY(auto blueprint, find_blueprint(database, id));
        ESPER_CHECK_STATUS(contracts::advance(blueprint, to, actor, when));
        ESPER_TRY(auto update,
                  database.prepare("UPDATE blueprint SET status = ?, updated = ? WHERE id = ?"));
        update.bind(contracts::to_text(to)).bind(contracts::to_string(when)).bind(id);
        ESPER_CHECK_STATUS(update.run());
        return append_entry(
            database, when.utc_ns,
            {std::string(contracts::actor_name(actor)),
             fmt::format("blueprint {}", contracts::to_text(to)), std::string(id), ""});
    });
}

}  // namespace esper::urza
