#include "esper/services/tolaria/learn/checkpoint.h"

#include <ATen/ops/empty_strided.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/engine/torch_compat.h"

namespace esper::tolaria {

namespace {

constexpr std::string_view kMagic = "ESPRCKPT";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

std::size_t extent(const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
    std::size_t last = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 0) return 0;
        last += static_cast<std::size_t>((shape[i] - 1) * strides[i]);
    }
    return last;
}

Result<Checkpoint> parse(const std::string& payload) {
    auto bad = [](const std::string& why) {
        return fail(TolariaError::kBadCheckpoint, "the checkpoint " + why);
    };
    if (payload.size() < 8) return bad("ends before its header");
    std::uint64_t length = 0;
    std::memcpy(&length, payload.data(), 8);
    if (length > payload.size() - 8) return bad("claims a header longer than itself");
    const auto header = nlohmann::json::parse(
        payload.begin() + 8, payload.begin() + 8 + static_cast<std::ptrdiff_t>(length), nullptr,
        false);
    if (!header.is_object() || !header.contains("state") || !header.contains("tensors"))
        return bad("has a header that is not the JSON it should be");
    const std::size_t base = aligned(8 + length);
    Checkpoint checkpoint;
    checkpoint.state = header["state"].dump();
    try {
        for (const auto& t : header["tensors"]) {
            const auto shape = t.at("shape").get<std::vector<std::int64_t>>();
            const auto strides = t.at("strides").get<std::vector<std::int64_t>>();
            const auto offset = t.at("offset").get<std::size_t>();
            const auto bytes = t.at("bytes").get<std::size_t>();
            auto dtype = graph::dtype_from_name(t.at("dtype").get<std::string>());
            const auto name = t.at("name").get<std::string>();
            if (!dtype || shape.size() != strides.size() ||
                extent(shape, strides) * graph::dtype_size(*dtype) != bytes ||
                offset > payload.size() || bytes > payload.size() - offset ||
                base > payload.size() - offset - bytes)
                return bad("describes tensor '" + name + "' in a way that does not fit its bytes");
            auto tensor = at::empty_strided(shape, strides, graph::to_scalar_type(*dtype));
            std::memcpy(tensor.mutable_data_ptr(), payload.data() + base + offset, bytes);
            checkpoint.tensors.emplace(name, tensor);
        }
    } catch (const nlohmann::json::exception& e) {
        return bad(std::string("has a header that lacks something: ") + e.what());
    }
    return checkpoint;
}

}  // namespace

Status write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
    nlohmann::json tensors = nlohmann::json::array();
    std::vector<at::Tensor> dense;
    std::size_t offset = 0;
    for (const auto& [name, tensor] : checkpoint.tensors) {
        auto t = tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous();
        ESPER_TRY(auto dtype, graph::from_scalar_type(t.scalar_type()));
        tensors.push_back({{"name", name},
                           {"dtype", graph::dtype_name(dtype)},
                           {"shape", t.sizes().vec()},
                           {"strides", t.strides().vec()},
                           {"offset", offset},
                           {"bytes", t.nbytes()}});
        offset = aligned(offset + t.nbytes());
        dense.push_back(t);
    }
    nlohmann::json header{{"state", nlohmann::json::parse(checkpoint.state)}, {"tensors", tensors}};
    const auto text = header.dump();
    const std::uint64_t length = text.size();
    std::string head(reinterpret_cast<const char*>(&length), 8);
    head += text;
    head.resize(aligned(head.size()), '\0');
    const std::string padding(kAlignment, '\0');
    std::vector<std::string_view> pieces{head};
    for (const auto& t : dense) {
        pieces.emplace_back(static_cast<const char*>(t.const_data_ptr()), t.nbytes());
        pieces.emplace_back(padding.data(), aligned(t.nbytes()) - t.nbytes());
    }
    return write_checked_file(path, kMagic, kVersion, pieces);
}

Result<Checkpoint> read_checkpoint(const std::filesystem::path& path) {
    ESPER_TRY(auto file, read_checked_file(path, kMagic));
    if (file.version != kVersion)
        return fail(TolariaError::kBadCheckpoint, path.string() + " is of version " +
                                                      std::to_string(file.version) +
                                                      ", this build reads version 1");
    return parse(file.payload);
}

std::string_view to_text(CheckpointKind kind) {
    switch (kind) {
        case CheckpointKind::kRegular:
            return "regular";
        case CheckpointKind::kBest:
            return "best";
        case CheckpointKind::kStopped:
            return "stopped";
        case CheckpointKind::kTrunk:
            return "trunk";
    }
    return "?";
}

std::string CheckpointRing::file_name(std::int64_t step, CheckpointKind kind) {
    const std::string prefix = kind == CheckpointKind::kStopped ? "stopped-"
                               : kind == CheckpointKind::kTrunk ? "trunk-"
                                                                : "step-";
    return prefix + std::to_string(step) + ".ckpt";
}

Status CheckpointRing::write(std::int64_t step, const Checkpoint& checkpoint, CheckpointKind kind) {
    std::error_code ignored;
    std::filesystem::create_directory(folder_, ignored);
    // First: a crash behind it repeats the epoch and writes it again, a crash before the other
    // would leave the best one out for good.
    if (kind == CheckpointKind::kBest)
        ESPER_CHECK_STATUS(write_checkpoint(folder_ / "best.ckpt", checkpoint));
    const bool stopped = kind == CheckpointKind::kStopped;
    const auto name = file_name(step, kind);
    ESPER_CHECK_STATUS(write_checkpoint(folder_ / name, checkpoint));
    if (kind == CheckpointKind::kTrunk) return {};
    ESPER_CHECK_STATUS(write_file_atomic(folder_ / "last", name + "\n"));
    if (stopped) return {};
    auto have = files();
    std::erase_if(have, [&](const File& f) { return f.regular && f.step == held_; });
    auto regular = std::count_if(have.begin(), have.end(), [](const File& f) { return f.regular; });
    for (const auto& file : have)
        if (!file.regular || regular-- > keep_) std::filesystem::remove(file.path, ignored);
    return {};
}

std::vector<CheckpointRing::File> CheckpointRing::files_named(
    const std::vector<std::string_view>& prefixes) const {
    std::vector<File> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
        const auto name = entry.path().filename().string();
        if (!name.ends_with(".ckpt")) continue;
        for (const auto prefix : prefixes)
            if (name.starts_with(prefix))
                found.push_back(
                    {std::atoll(name.c_str() + prefix.size()), prefix != "stopped-", entry.path()});
    }
    std::sort(found.begin(), found.end(),
              [](const File& a, const File& b) { return a.step < b.step; });
    return found;
}

std::vector<CheckpointRing::File> CheckpointRing::files() const {
    return files_named({"step-", "stopped-"});
}

std::vector<CheckpointRing::File> CheckpointRing::regular_files() const {
    return files_named({"step-", "trunk-"});
}

std::vector<std::int64_t> CheckpointRing::steps() const {
    std::vector<std::int64_t> found;
    for (const auto& file : files())
        if (file.regular) found.push_back(file.step);
    return found;
}

Result<std::filesystem::path> CheckpointRing::find(const std::string& which) const {
    const auto have = files();
    if (which == "best") {
        if (std::filesystem::exists(folder_ / "best.ckpt")) return folder_ / "best.ckpt";
    } else if (which == "last") {
        if (!have.empty()) return have.back().path;
    } else {
        for (const auto& file : have)
            if (std::to_string(file.step) == which) return file.path;
    }
    std::string there;
    const bool has_best = std::filesystem::exists(folder_ / "best.ckpt");
    if (have.empty() && !has_best)
        return fail(FileError::kNotFound,
                    folder_.string() +
                        " holds no checkpoint; copy the run's checkpoints back, or "
                        "start it again with 'esper train'");
    for (const auto& file : have) there += " " + std::to_string(file.step);
    return fail(FileError::kNotFound, "no checkpoint '" + which + "' in " + folder_.string() +
                                          "; there are:" + (has_best ? " best," : "") +
                                          (have.empty() ? "" : " last and the steps" + there));
}

namespace {

Result<Checkpoint> first_whole(const std::vector<std::filesystem::path>& newest_first,
                               const std::filesystem::path& folder, std::size_t& which) {
    std::string damaged;
    for (which = 0; which < newest_first.size(); ++which) {
        auto checkpoint = read_checkpoint(newest_first[which]);
        if (checkpoint) return checkpoint;
        damaged += "\n  " + checkpoint.error().message();
    }
    return fail(FileError::kNotFound, "no whole checkpoint in " + folder.string() +
                                          (damaged.empty() ? "" : ":" + damaged));
}

}  // namespace

Result<Checkpoint> CheckpointRing::newest() const {
    std::vector<std::filesystem::path> paths;
    for (const auto& file : files()) paths.insert(paths.begin(), file.path);
    std::size_t ignored = 0;
    return first_whole(paths, folder_, ignored);
}

Result<CheckpointRing::Found> CheckpointRing::newest_until(std::int64_t step) const {
    std::vector<std::filesystem::path> paths;
    std::vector<std::int64_t> steps;
    for (const auto& file : files()) {
        if (!file.regular || file.step > step) continue;
        paths.insert(paths.begin(), file.path);
        steps.insert(steps.begin(), file.step);
    }
    std::size_t which = 0;
    ESPER_TRY(auto checkpoint, first_whole(paths, folder_, which));
    return Found{steps[which], std::move(checkpoint)};
}

void CheckpointRing::forget_after(std::int64_t step) {
    std::error_code ignored;
    auto have = files_named({"step-", "stopped-", "trunk-"});
    for (auto file = have.rbegin(); file != have.rend(); ++file)
        if (file->step > step) std::filesystem::remove(file->path, ignored);
}

void CheckpointRing::forget_trunk(std::int64_t step) {
    std::error_code ignored;
    std::filesystem::remove(folder_ / file_name(step, CheckpointKind::kTrunk), ignored);
}

}  // namespace esper::tolaria
