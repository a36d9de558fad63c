#pragma once
// Writes ZIP archives with stored members, well-formed or not, for tests and fuzz targets.

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace esper::graph::testing {

struct ZipMember {
    std::string name;
    std::string content;
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    /// Added to the member's size and offset in the directory.
    std::uint32_t wrong_size = 0;
    std::uint32_t wrong_offset = 0;
};

class ZipBuilder {
  public:
    void add(const ZipMember& member) {
        const auto crc = static_cast<std::uint32_t>(
            ::crc32(0, reinterpret_cast<const Bytef*>(member.content.data()),
                    static_cast<uInt>(member.content.size())));
        const auto local = static_cast<std::uint32_t>(bytes_.size());
        const auto size = static_cast<std::uint32_t>(member.content.size());
        const auto name_size = static_cast<std::uint16_t>(member.name.size());
        // Contents start at multiples of 64, as in PyTorch's archives.
        const auto padding =
            static_cast<std::uint16_t>((64 - (local + 30 + member.name.size()) % 64) % 64);
        put(bytes_, 0x04034b50U, 4);
        put(bytes_, 20, 2);
        put(bytes_, member.flags, 2);
        put(bytes_, member.method, 2);
        put(bytes_, 0, 4);
        put(bytes_, crc, 4);
        put(bytes_, size, 4);
        put(bytes_, size, 4);
        put(bytes_, name_size, 2);
        put(bytes_, padding, 2);
        bytes_ += member.name;
        bytes_.append(padding, '\0');
        bytes_ += member.content;

        put(directory_, 0x02014b50U, 4);
        put(directory_, 20, 2);
        put(directory_, 20, 2);
        put(directory_, member.flags, 2);
        put(directory_, member.method, 2);
        put(directory_, 0, 4);
        put(directory_, crc, 4);
        put(directory_, size + member.wrong_size, 4);
        put(directory_, size + member.wrong_size, 4);
        put(directory_, name_size, 2);
        put(directory_, 0, 2);
        put(directory_, 0, 2);
        put(directory_, 0, 4);
        put(directory_, 0, 4);
        put(directory_, local + member.wrong_offset, 4);
        directory_ += member.name;
        ++count_;
    }
    void add(std::string name, std::string content) {
        add(ZipMember{std::move(name), std::move(content)});
    }

    std::string finish() const {
        auto all = bytes_ + directory_;
        put(all, 0x06054b50U, 4);
        put(all, 0, 4);
        put(all, count_, 2);
        put(all, count_, 2);
        put(all, static_cast<std::uint32_t>(directory_.size()), 4);
        put(all, static_cast<std::uint32_t>(bytes_.size()), 4);
        put(all, 0, 2);
        return all;
    }

  private:
    static void put(std::string& to, std::uint32_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i)));
    }
    std::string bytes_;
    std::string directory_;
    std::uint16_t count_ = 0;
};

}  // namespace esper::graph::testing
