/* What optimisers take apart: sorting through function pointers, a hash table, recursion, structs by value, a checksum. */
typedef unsigned long size;

struct point {
    int x, y;
};
struct shape {
    enum kind { CIRCLE, SQUARE, POLYGON } kind;
    unsigned visible : 1, layer : 5;
    union {
        struct point centre;
        long radius;
    };
    struct point corners[3];
    struct shape *next;
};
struct table {
    size used;
    struct entry {
        const char *key;
        int value;
    } entries[16];
};

static struct shape shapes[6];
static struct table table;
static int numbers[24];
volatile long sink;

static int ascending(const int *a, const int *b) { return *a < *b ? -1 : *a > *b; }
static int descending(const int *a, const int *b) { return ascending(b, a); }

static void swap(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static void sort(int *list, int count, int (*compare)(const int *, const int *))
{
    if (count < 2)
        return;
    int pivot = list[count / 2], low = 0, high = count - 1;
    while (low <= high) {
        while (compare(&list[low], &pivot) < 0)
            low++;
        while (compare(&list[high], &pivot) > 0)
            high--;
        if (low <= high)
            swap(&list[low++], &list[high--]);
    }
    sort(list, high + 1, compare);
    sort(list + low, count - low, compare);
}

static unsigned hash(const char *text)
{
    unsigned value = 5381;
    for (; *text; text++)
        value = value * 33 ^ (unsigned char)*text;
    return value;
}

static struct entry *slot(struct table *t, const char *key)
{
    for (size i = hash(key) % 16;; i = (i + 1) % 16) {
        struct entry *e = &t->entries[i];
        if (!e->key)
            return e;
        const char *a = e->key, *b = key;
        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return e;
    }
}

static void put(struct table *t, const char *key, int value)
{
    struct entry *e = slot(t, key);
    if (!e->key) {
        e->key = key;
        t->used++;
    }
    e->value += value;
}

static struct point middle(struct point a, struct point b)
{
    struct point result = { (a.x + b.x) / 2, (a.y + b.y) / 2 };
    return result;
}

static long area(const struct shape *s)
{
    switch (s->kind) {
    case CIRCLE:
        return 3 * s->radius * s->radius;
    case SQUARE:
        return (long)s->centre.x * s->centre.y;
    default: {
        long twice = 0;
        for (int i = 0; i < 3; i++) {
            struct point a = s->corners[i], b = s->corners[(i + 1) % 3];
            struct point m = middle(a, b);
            twice += (long)a.x * b.y - (long)b.x * a.y + m.x - m.x;
        }
        return twice < 0 ? -twice / 2 : twice / 2;
    }
    }
}

static long total(const struct shape *s) { return s ? area(s) + total(s->next) : 0; }

static unsigned checksum(const void *data, size length)
{
    const unsigned char *bytes = data;
    unsigned crc = ~0u;
    while (length--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

static double average(const int *list, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += list[i];
    return sum / count;
}

__attribute__((noinline)) static long many(long a, int b, char c, short d, unsigned e, long f, int g, struct point h)
{
    long local[4] = { a, b, c, d };
    sink = e + f + g;
    for (int i = 0; i < 4; i++)
        sink += local[i] * h.x;
    return sink + h.y;
}

static void once(void)
{
    static const char *const words[] = { "vmx", "ept", "vmcs", "ept", "exit", "vmx", "entry" };
    unsigned state = 1;
    for (int i = 0; i < 24; i++) {
        state = state * 1103515245 + 12345;
        numbers[i] = (int)(state >> 16) % 1000 - 500;
    }
    sort(numbers, 24, ascending);
    sort(numbers, 24, descending);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        put(&table, words[i], (int)i);
    for (int i = 0; i < 6; i++) {
        struct shape *s = &shapes[i];
        s->kind = i % 3;
        s->visible = i & 1;
        s->layer = 31 - i;
        if (s->kind == CIRCLE)
            s->radius = i + 1;
        else
            s->centre = (struct point){ i, -i };
        for (int k = 0; k < 3; k++)
            s->corners[k] = (struct point){ i * k, i + k * k };
        s->next = i ? &shapes[i - 1] : 0;
    }
    sink = total(&shapes[5]);
    sink = checksum(numbers, sizeof numbers);
    sink = (long)(average(numbers, 24) * 100);
    sink = many(1, 2, 3, 4, 5, 6, 7, (struct point){ 8, 9 });
}

void run(void)
{
    for (;;)
        once();
}
