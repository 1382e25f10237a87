/* What C++ adds: classes with bases, virtual ones too, methods, references, templates, lambdas, namespaces, enum classes. No library. */
extern "C" void __cxa_pure_virtual()
{
    for (;;)
        ;
}

extern "C" void *memset(void *to, int value, unsigned long size)
{
    for (char *at = (char *)to; size-- > 0;)
        *at++ = (char)value;
    return to;
}

volatile long sink;

namespace shapes {

enum class Colour : unsigned char { Red = 1, Green, Blue = 7 };

struct Point {
    int x, y;

    Point(int x, int y) : x(x), y(y) {}
    Point operator+(const Point &other) const { return Point(x + other.x, y + other.y); }
    int &coordinate(bool second) { return second ? y : x; }
};

class Shape {
  public:
    explicit Shape(Colour colour) : colour(colour), moves(0) { made++; }
    virtual long area() const = 0;
    virtual void move(const Point &by) { moves += by.x != 0 || by.y != 0; }
    static int made;

  protected:
    Colour colour;
    unsigned moves : 12;
};

int Shape::made;

struct Named {
    const char *name;
    explicit Named(const char *name) : name(name) {}
};

class Rectangle : public Shape, private Named {
  public:
    Rectangle(Point a, Point b) : Shape(Colour::Green), Named("rectangle"), a(a), b(b) {}
    long area() const override { return (long)(b.x - a.x) * (b.y - a.y) + name[0]; }
    void move(const Point &by) override
    {
        a = a + by;
        b = b + by;
        Shape::move(by);
    }

  private:
    Point a, b;
};

/* A diamond: the counter is there once. */
struct Counter {
    long count = 3;
};
struct Left : virtual Counter {
    int left = 10;
};
struct Right : virtual Counter {
    int right = 20;
};
struct Diamond : Left, Right {
    int own = 30;
    long sum(int factor) { return (count++ + left + right + own) * factor; }
};

} // namespace shapes

template <typename T, int N> struct Ring {
    T items[N];
    int next = 0;

    void put(const T &item)
    {
        items[next] = item;
        next = (next + 1) % N;
    }
    template <typename F> long fold(F step) const
    {
        long value = 0;
        for (const T &item : items)
            value = step(value, item);
        return value;
    }
};

template <typename T> static T greater(const T &a, const T &b) { return a < b ? b : a; }
template <typename T, typename... Rest> static T greater(const T &a, const T &b, const Rest &...rest) { return greater(greater(a, b), rest...); }

struct Holder {
    int value;
    explicit Holder(int value) : value(value) {}
    Holder(Holder &&other) : value(other.value) { other.value = -1; }
    ~Holder() { sink += value; }
};

static int taken(Holder &&holder)
{
    Holder own(static_cast<Holder &&>(holder));
    sink += own.value;
    return own.value;
}

namespace {
long hidden(shapes::Diamond &diamond, int depth)
{
    shapes::Counter &counter = diamond;
    if (depth == 0)
        return counter.count;
    return hidden(diamond, depth - 1) + diamond.sum(depth);
}
} // namespace

__attribute__((noinline)) static long once(int round)
{
    using namespace shapes;
    Rectangle rectangle(Point(round, 1), Point(round + 4, 6));
    Shape &shape = rectangle;
    shape.move(Point(round % 3, 2));
    Diamond diamond;
    Ring<int, 4> numbers{};
    Ring<Point, 2> points{{Point(1, 2), Point(3, 4)}};
    for (int i = 0; i < 6; i++)
        numbers.put(i * round);
    points.put(Point(round, round + 1));
    int threshold = round % 7;
    auto above = [threshold, &diamond](long value, int item) { return item > threshold ? value + item + diamond.own : value; };
    long total = numbers.fold(above) + points.fold([](long value, const Point &p) { return value + p.x * p.y; });
    int Point::*member = round % 2 ? &Point::x : &Point::y;
    Point last = points.items[1];
    last.coordinate(true) += last.*member;
    total += shape.area() + hidden(diamond, 3) + greater(round, 5, threshold) + greater(2l, total);
    sink += taken(Holder(round)) + last.y;
    return total;
}

extern "C" void run(void)
{
    for (int round = 1;; round++)
        sink += once(round) + shapes::Shape::made;
}
