#include "esper/services/tolaria/data/silhouettes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace esper::tolaria {
namespace {

constexpr double kPi = std::numbers::pi;

std::vector<Point> on_circle(int corners, double from, double to) {
    std::vector<Point> points;
    for (int i = 0; i < corners; ++i) {
        const double angle = from + (to - from) * i / corners;
        points.push_back(
            {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
    }
    return points;
}

// Every second corner drawn in to `inner`.
std::vector<Point> star(int tips, float inner) {
    std::vector<Point> points = on_circle(2 * tips, 0, 2 * kPi);
    for (std::size_t i = 1; i < points.size(); i += 2) {
        points[i].x *= inner;
        points[i].y *= inner;
    }
    return points;
}

std::vector<Point> outline(std::size_t shape) {
    constexpr float t = 0.3F;  // half the thickness of a bar
    switch (shape) {
        case 0:
            return on_circle(3, 0, 2 * kPi);
        case 1:
            return on_circle(4, 0, 2 * kPi);
        case 2:
            return on_circle(5, 0, 2 * kPi);
        case 3:
            return on_circle(6, 0, 2 * kPi);
        case 4:
            return on_circle(14, 0, 2 * kPi);
        case 5:
            return star(5, 0.5F);
        case 6:
            return star(6, 0.58F);
        case 7:
            return on_circle(10, 0, kPi * 10 / 9);
        case 8:
            return {{t, -1}, {t, -t}, {1, -t}, {1, t},   {t, t},   {t, 1},
                    {-t, 1}, {-t, t}, {-1, t}, {-1, -t}, {-t, -t}, {-t, -1}};
        default:
            return {{-1, -0.9F}, {1, -0.9F}, {1, -0.3F},  {t, -0.3F},
                    {t, 0.9F},   {-t, 0.9F}, {-t, -0.3F}, {-1, -0.3F}};
    }
}

}  // namespace

std::vector<Point> silhouette(std::size_t shape, RandomStream& stream) {
    std::vector<Point> points = outline(shape);
    for (Point& p : points) {
        p.x += static_cast<float>(stream.uniform(-0.07, 0.07));
        p.y += static_cast<float>(stream.uniform(-0.07, 0.07));
    }
    return points;
}

float signed_distance(const std::vector<Point>& polygon, Point p) {
    float nearest = 1e9F;
    bool inside = false;
    Point a = polygon.back();
    for (const Point b : polygon) {
        const Point edge{b.x - a.x, b.y - a.y};
        const Point to{p.x - a.x, p.y - a.y};
        const float along = std::clamp(
            (to.x * edge.x + to.y * edge.y) / (edge.x * edge.x + edge.y * edge.y + 1e-12F), 0.0F,
            1.0F);
        const float dx = to.x - edge.x * along;
        const float dy = to.y - edge.y * along;
        nearest = std::min(nearest, dx * dx + dy * dy);
        // A ray to the right crosses the edge, so inside and outside swap.
        if ((a.y > p.y) != (b.y > p.y) && to.x < edge.x * to.y / edge.y) inside = !inside;
        a = b;
    }
    const float distance = std::sqrt(nearest);
    return inside ? -distance : distance;
}

}  // namespace esper::tolaria
