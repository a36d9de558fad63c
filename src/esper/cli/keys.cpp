#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/print.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/library_keys.h"

namespace esper::cli {

namespace {

using execution::KeyFolder;
using execution::KeyRole;
using nlohmann::json;

struct Arguments {
    std::string folder;
    std::string role;
    std::string id;
    bool json = false;
};

KeyFolder folder_of(const Arguments& a) {
    return a.folder.empty() ? urza::keys_of("") : KeyFolder(a.folder);
}

Status list_keys(const Arguments& a) {
    ESPER_TRY(const auto ring, folder_of(a).ring());
    for (const auto& key : ring.keys()) {
        const char* state = key.trusted ? "trusted" : key.revoked ? "revoked" : "not trusted";
        std::vector<std::string> signers;
        for (const auto& seal : key.seals) signers.push_back(seal.key);
        if (a.json) {
            print_json_line({{"id", key.id},
                             {"role", contracts::to_text(key.role)},
                             {"made", contracts::to_string(key.made)},
                             {"public", execution::to_hex(key.open)},
                             {"signed_by", signers},
                             {"state", state}});
        } else {
            std::printf("%s  %-8s  %s  %-11s  signed by", key.id.c_str(),
                        std::string(contracts::to_text(key.role)).c_str(),
                        contracts::to_string(key.made).substr(0, 19).c_str(), state);
            for (const auto& signer : signers) std::printf(" %s", signer.c_str());
            std::printf("\n");
        }
    }
    return {};
}

Status init_keys(const Arguments& a) {
    const KeyFolder folder = folder_of(a);
    ESPER_TRY(const bool made, folder.make_missing());
    std::fprintf(stderr, made ? "made one key of each role in %s\n" : "%s has keys already\n",
                 folder.path().c_str());
    return list_keys(a);
}

void print_changed(const Arguments& a, const char* what, const std::string& id) {
    if (a.json) {
        print_json_line({{"event", what}, {"id", id}});
    } else {
        std::printf("%s %s\n", what, id.c_str());
    }
}

Status rotate_key(const Arguments& a) {
    ESPER_TRY(const std::string id, folder_of(a).rotate(*contracts::from_text<KeyRole>(a.role)));
    print_changed(a, "rotated", id);
    return {};
}

Status revoke_key(const Arguments& a) {
    const KeyFolder folder = folder_of(a);
    ESPER_TRY(const auto ring, folder.ring());
    const auto& keys = ring.keys();
    if (std::ranges::none_of(keys, [&](const auto& key) { return key.id == a.id; }))
        return fail(urza::UrzaError::kBadRequest,
                    "no key has the id '" + a.id + "'; esper keys ls shows them");
    ESPER_CHECK_STATUS(folder.revoke(a.id));
    print_changed(a, "revoked", a.id);
    return {};
}

}  // namespace

void add_keys(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<Arguments>();
    auto* keys = app.add_subcommand("keys", "the keys that sign kernels, verdicts and the ledger");
    keys->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, Status (*act)(const Arguments&)) {
        auto* command = keys->add_subcommand(name, what);
        command->add_option(
            "--keys", a->folder,
            "the folder (default: $ESPER_KEYS, else keys/ in the library's folder; of "
            "a library in a database, in ~/.local/share/esper/library)");
        command->add_flag("--json", a->json, "standard output is JSON lines only");
        command->callback([a, act, &exit_code] {
            const Status done = act(*a);
            exit_code = done ? 0 : report_error(done.error());
        });
        return command;
    };
    add("init", "make one key of each role where there are none", init_keys);
    add("ls", "who may sign what, and who signed that", list_keys);
    add("rotate", "make the next key of a role, signed by the present one", rotate_key)
        ->add_option("role", a->role, "root, forge, gauntlet or library")
        ->required()
        ->check(CLI::IsMember({"root", "forge", "gauntlet", "library"}));
    add("revoke", "trust nothing any more that this key signed", revoke_key)
        ->add_option("id", a->id, "the key's id")
        ->required();
}

}  // namespace esper::cli
