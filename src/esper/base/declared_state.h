#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

/// State that is saved as JSON, declared once for both directions. A struct lists its members:
///
///     struct Ramp {
///         std::int64_t steps = 0;
///         double mean = 0;
///         template <typename Self, typename Visitor>
///         static void fields(Self& self, Visitor& visit) {
///             visit("steps", self.steps);
///             visit("mean", self.mean);
///         }
///     };
///
/// Members are numbers, bool, std::string, vectors, maps by name and optionals of these, other such
/// structs, and nlohmann::json for what another room declares.
namespace esper::saved {

using Json = nlohmann::json;

namespace detail {

struct NoVisitor {
    template <typename T>
    void operator()(const char*, T&) {}
};
template <typename T>
concept Declared = requires(T& value, NoVisitor visitor) { T::fields(value, visitor); };

template <typename T>
struct Shape {
    static constexpr bool is_vector = false, is_map = false, is_optional = false;
};
template <typename T>
struct Shape<std::vector<T>> {
    static constexpr bool is_vector = true, is_map = false, is_optional = false;
};
template <typename T>
struct Shape<std::map<std::string, T>> {
    static constexpr bool is_vector = false, is_map = true, is_optional = false;
};
template <typename T>
struct Shape<std::optional<T>> {
    static constexpr bool is_vector = false, is_map = false, is_optional = true;
};

class Writer {
  public:
    template <typename T>
    void operator()(const char* key, const T& value) {
        if constexpr (Shape<T>::is_optional) {
            if (!value) return;  // an absent value is an absent key
            object_[key] = write(*value);
        } else {
            object_[key] = write(value);
        }
    }
    template <typename T>
    static Json write(const T& value) {
        if constexpr (Declared<T>) {
            Writer writer;
            T::fields(value, writer);
            return std::move(writer.object_);
        } else if constexpr (Shape<T>::is_vector) {
            Json list = Json::array();
            for (const auto& item : value) list.push_back(write(item));
            return list;
        } else if constexpr (Shape<T>::is_map) {
            Json object = Json::object();
            for (const auto& [name, item] : value) object[name] = write(item);
            return object;
        } else {
            return Json(value);
        }
    }

  private:
    Json object_ = Json::object();
};

class Reader {
  public:
    Reader(const Json& object, std::string path, std::string& problem)
        : object_(object), path_(std::move(path)), problem_(problem) {}

    template <typename T>
    void operator()(const char* key, T& value) {
        if (!problem_.empty()) return;
        const auto path = path_.empty() ? std::string(key) : path_ + "." + key;
        const auto found = object_.find(key);
        if constexpr (Shape<T>::is_optional) {
            value.reset();
            if (found == object_.end()) return;
            read(*found, path, value.emplace(), problem_);
        } else if (found == object_.end()) {
            problem_ = "'" + path + "' is missing";
        } else {
            read(*found, path, value, problem_);
        }
    }

    template <typename T>
    static void read(const Json& json, const std::string& path, T& value, std::string& problem) {
        if (!problem.empty()) return;
        const auto expect = [&](bool fits, const char* what) {
            if (!fits)
                problem = (path.empty() ? "it" : "'" + path + "'") + " is " + json.type_name() +
                          ", not " + what;
            return fits;
        };
        if constexpr (std::is_same_v<T, Json>) {
            value = json;
        } else if constexpr (Declared<T>) {
            if (!expect(json.is_object(), "an object")) return;
            Reader reader(json, path, problem);
            T::fields(value, reader);
        } else if constexpr (Shape<T>::is_vector) {
            if (!expect(json.is_array(), "a list")) return;
            value.clear();
            for (std::size_t i = 0; i < json.size(); ++i)
                read(json[i], path + "[" + std::to_string(i) + "]", value.emplace_back(), problem);
        } else if constexpr (Shape<T>::is_map) {
            if (!expect(json.is_object(), "an object")) return;
            value.clear();
            for (const auto& [name, item] : json.items())
                read(item, std::string(path).append(".").append(name), value[name], problem);
        } else if constexpr (std::is_same_v<T, bool>) {
            if (expect(json.is_boolean(), "true or false")) value = json.get<bool>();
        } else if constexpr (std::is_integral_v<T>) {
            read_integer(json, path, value, problem);
        } else if constexpr (std::is_floating_point_v<T>) {
            if (expect(json.is_number(), "a number")) value = json.get<T>();
        } else {
            static_assert(std::is_same_v<T, std::string>);
            if (expect(json.is_string(), "text")) value = json.get<std::string>();
        }
    }

  private:
    template <typename T>
    static void read_integer(const Json& json, const std::string& path, T& value,
                             std::string& problem) {
        const bool fits = json.is_number_unsigned()
                              ? json.get<std::uint64_t>() <=
                                    static_cast<std::uint64_t>(std::numeric_limits<T>::max())
                              : json.is_number_integer() && std::is_signed_v<T> &&
                                    json.get<std::int64_t>() >=
                                        static_cast<std::int64_t>(std::numeric_limits<T>::min());
        if (fits)
            value = json.get<T>();
        else
            problem = "'" + path + "' is " +
                      (json.is_number() ? json.dump() : std::string(json.type_name())) +
                      ", not a whole number of its range";
    }

    const Json& object_;
    std::string path_;
    std::string& problem_;
};

}  // namespace detail

/// The declared members as a JSON object; an optional without a value is left out.
template <detail::Declared T>
Json write(const T& state) {
    return detail::Writer::write(state);
}

/// Fills `state`. Returns what is wrong, naming the key that is missing or of another type
/// (`'growth.slots[1].seed' is missing`), or "". Other keys are passed over. `path` is where the
/// object stands.
template <detail::Declared T>
std::string read(const Json& json, T& state, const std::string& path = "") {
    std::string problem;
    detail::Reader::read(json, path, state, problem);
    return problem;
}

/// The version that a saved object names: 1 where it names none, 0 where that is no whole number.
inline std::int64_t version_of(const Json& json) {
    const auto found = json.is_object() ? json.find("version") : json.end();
    if (found == json.end()) return 1;
    return found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

/// For reading version 1, which wrote lists where members have names now: [3, 0.5] becomes
/// {"steps": 3, "mean": 0.5}. Anything else stays as it is, for read() to name.
inline void name_members(Json& json, const std::vector<std::string>& names) {
    if (!json.is_array() || json.size() != names.size()) return;
    Json object = Json::object();
    for (std::size_t i = 0; i < names.size(); ++i) object[names[i]] = json[i];
    json = std::move(object);
}

}  // namespace esper::saved
