use std::time::Instant;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).map_or(5, |s| s.parse().unwrap());
    let bytes = std::fs::read(&path).unwrap();
    for _ in 0..n {
        let img = voxload::load(&path).unwrap();
        let start = Instant::now();
        let a = img.proxy().unwrap().read::<f32>().unwrap();
        let mine = start.elapsed().as_secs_f64();
        let total = a.len() * 2 + 352;
        drop(a);
        let start = Instant::now();
        let mut out = vec![0u8; total];
        let r = libdeflater::Decompressor::new().gzip_decompress(&bytes, &mut out);
        let their = start.elapsed().as_secs_f64();
        drop(out);
        println!(
            "voxload {mine:.3} s  libdeflate {their:.3} s ({:?}) ratio {:.3}  {:.0} MB/s",
            r,
            their / mine,
            total as f64 / mine / 1e6
        );
    }
}
