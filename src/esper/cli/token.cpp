#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "esper/cli/commands.h"
#include "esper/cli/print.h"
#include "esper/services/urza/file_system.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/server_address.h"
#include "esper/services/urza/tokens.h"

namespace esper::cli {

namespace {

struct TokenArguments {
    std::string folder, name, role = "researcher";
    bool json = false;
};

/// The tokens beside the library, which is made where it is missing.
Result<std::filesystem::path> file_of(const TokenArguments& a) {
    ESPER_CHECK_STATUS(urza::refuse_server(
        a.folder.empty() ? urza::default_library_path() : a.folder, "esper token"));
    ESPER_CHECK_STATUS(urza::open_library(a.folder));
    const auto folder = urza::local_folder(a.folder);
    ESPER_CHECK_STATUS(urza::make_private_folder(folder));
    return folder / "tokens";
}

Status add_one(const TokenArguments& a) {
    ESPER_TRY(const auto file, file_of(a));
    urza::Tokens tokens(file);
    ESPER_TRY(const std::string token,
              tokens.add({a.name, *contracts::from_text<contracts::AccessRole>(a.role)}));
    if (a.json) {
        print_json_line({{"name", a.name}, {"role", a.role}, {"token", token}});
    } else {
        std::printf("%s\n", token.c_str());
        std::fprintf(stderr, "This is shown once. Send it as the header Authorization: Bearer …\n");
    }
    return {};
}

Status list_all(const TokenArguments& a) {
    ESPER_TRY(const auto file, file_of(a));
    urza::Tokens tokens(file);
    ESPER_TRY(const auto entries, tokens.all());
    for (const auto& entry : entries) {
        const std::string role(contracts::to_text(entry.caller.role));
        if (a.json)
            print_json_line({{"name", entry.caller.name}, {"role", role}});
        else
            std::printf("%-10s  %s\n", role.c_str(), entry.caller.name.c_str());
    }
    if (const auto useless = tokens.useless(); useless > 0)
        std::fprintf(stderr,
                     "esper: %zu %s in %s without name, role and sha256 let nobody in; the next "
                     "token add or revoke drops %s\n",
                     useless, useless == 1 ? "entry" : "entries", file.c_str(),
                     useless == 1 ? "it" : "them");
    return {};
}

Status revoke_one(const TokenArguments& a) {
    ESPER_TRY(const auto file, file_of(a));
    urza::Tokens tokens(file);
    return tokens.remove(a.name);
}

}  // namespace

void add_token(CLI::App& app, int& exit_code) {
    auto a = std::make_shared<TokenArguments>();
    auto* token = app.add_subcommand("token", "who may ask the library's server, and for what");
    token->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, Status (*act)(const TokenArguments&)) {
        auto* command = token->add_subcommand(name, what);
        command->add_option("--library", a->folder,
                            "the library: a folder, or postgresql://USER@HOST/DATABASE");
        command->add_flag("--json", a->json, "standard output is JSON lines only");
        command->callback([a, act, &exit_code] {
            const Status done = act(*a);
            exit_code = done ? 0 : report_error(done.error());
        });
        return command;
    };
    auto* made = add("add", "make a token and print it, once", add_one);
    made->add_option("name", a->name, "whose it is")->required();
    made->add_option("--role", a->role, "researcher (default), operator, curator or admin")
        ->check(CLI::IsMember({"researcher", "operator", "curator", "admin"}));
    add("ls", "who has a token", list_all);
    add("revoke", "take a token back", revoke_one)
        ->add_option("name", a->name, "whose it is")
        ->required();
}

}  // namespace esper::cli
