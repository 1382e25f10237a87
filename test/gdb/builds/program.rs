//! What rustc makes of enums that carry values, slices, traits, closures, iterators and recursion. It has no library but `core`.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI64, Ordering};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

static SINK: AtomicI64 = AtomicI64::new(0);

#[derive(Clone, Copy)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Clone, Copy)]
enum Shape {
    Empty,
    Circle { centre: Point, radius: u16 },
    Line(Point, Point),
}

trait Area {
    fn area(&self) -> i64;
}

impl Area for Shape {
    fn area(&self) -> i64 {
        match *self {
            Shape::Empty => 0,
            Shape::Circle { centre, radius } => 3 * (radius as i64) * (radius as i64) + (centre.x - centre.x) as i64,
            Shape::Line(from, to) => (to.x - from.x).abs() as i64 + (to.y - from.y).abs() as i64,
        }
    }
}

fn sort(list: &mut [i32]) {
    if list.len() < 2 {
        return;
    }
    let pivot = list[list.len() / 2];
    let mut low = 0;
    let mut high = list.len() - 1;
    loop {
        while list[low] < pivot {
            low += 1;
        }
        while list[high] > pivot {
            high -= 1;
        }
        if low >= high {
            break;
        }
        list.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (left, right) = list.split_at_mut(low);
    sort(left);
    sort(right);
}

fn hash(text: &[u8]) -> u32 {
    let mut value = 5381u32;
    for &byte in text {
        value = value.wrapping_mul(33) ^ byte as u32;
    }
    value
}

#[inline(never)]
fn apply<F: Fn(i64) -> i64>(count: i64, f: F) -> i64 {
    let mut sum = 0;
    for i in 0..count {
        sum += f(i);
    }
    sum
}

#[inline(never)]
fn total(shapes: &[Shape]) -> i64 {
    match shapes {
        [] => 0,
        [first, rest @ ..] => first.area() + total(rest),
    }
}

fn once() {
    let mut numbers = [0i32; 24];
    let mut state = 1u32;
    for number in numbers.iter_mut() {
        state = state.wrapping_mul(1103515245).wrapping_add(12345);
        *number = (state >> 16) as i32 % 1000 - 500;
    }
    sort(&mut numbers);
    let point = Point { x: numbers[0] & 15, y: 4 };
    let shapes = [Shape::Empty, Shape::Circle { centre: point, radius: 5 }, Shape::Line(point, Point { x: 1, y: 2 })];
    SINK.store(total(&shapes), Ordering::Relaxed);
    let factor = numbers[23] as i64;
    SINK.store(apply(8, |i| i * factor), Ordering::Relaxed);
    SINK.store(hash(b"vmcs") as i64, Ordering::Relaxed);
}

#[no_mangle]
pub extern "C" fn run() {
    loop {
        once();
    }
}

// What the compiler calls by itself. A loop that it recognised would be a call of the function that it is in.
#[no_mangle]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    for i in 0..count {
        core::ptr::write_volatile(to.add(i), value as u8);
    }
    to
}

#[no_mangle]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for i in 0..count {
        core::ptr::write_volatile(to.add(i), *from.add(i));
    }
    to
}
