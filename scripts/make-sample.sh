#!/usr/bin/env bash
# Makes web/media/sample.webm, the film that ships with the page: 120 s of our own, so nobody's rights are in it. Everything in it serves
# to see and hear whether two players are in step: minutes, seconds and the number of the frame within its second; a line that crosses
# the picture once a second; a disc that goes round once in four; a blip each second, a higher one each ten.
#
# A keyframe each second, so that a seek lands at once. VP9 and Opus, which Chromium, Firefox and Safari play without a licence.
# Needs ffmpeg and the DejaVu fonts (Debian: ffmpeg fonts-dejavu-core); the tests do not, as the film is committed.
#
# Usage: scripts/make-sample.sh [OUTPUT]      SECONDS_LONG=10 for a quick look
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
output=${1:-$root/web/media/sample.webm}
long=${SECONDS_LONG:-120}
fonts=/usr/share/fonts/truetype/dejavu
bold=$fonts/DejaVuSansMono-Bold.ttf
plain=$fonts/DejaVuSans.ttf
rate=24

# Colours are the page's own (web/css/theme.css): night blue, violet, ember.
picture="
gradients=size=640x360:rate=$rate:duration=$long:speed=0.004:seed=11:nb_colors=3:c0=0x101433:c1=0x3b1d6b:c2=0x0d3b58:x0=0:y0=0:x1=640:y1=360[sky];
color=c=0xffb057:s=44x44:r=$rate:d=$long,format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='clip((21-hypot(X-22,Y-22))*180,0,255)',trim=end_frame=1,loop=-1:1,setpts=N/$rate/TB[disc];
color=c=0xff7a59:s=640x4:r=$rate:d=${long}[line];
[sky][disc]overlay=x='298+250*cos(PI*t/2-PI/2)':y='158+120*sin(PI*t/2-PI/2)':shortest=1[round];
[round][line]overlay=x='-640+640*mod(t,1)':y=356:shortest=1[crossed];
[crossed]
drawtext=fontfile=$bold:fontcolor=white:fontsize=92:x=(w-tw)/2:y=118:text='%{eif\:trunc(t/60)\:d\:2}\:%{eif\:mod(trunc(t)\,60)\:d\:2}',
drawtext=fontfile=$bold:fontcolor=0xffb057:fontsize=34:x=(w-tw)/2:y=218:text='frame %{eif\:mod(n\,$rate)\:d\:2}',
drawtext=fontfile=$plain:fontcolor=0xb9b4d6:fontsize=17:x=(w-tw)/2:y=284:text='WatchParty sample film',
format=yuv420p[picture]"

# Decaying blips: a tone cut off hard clicks.
sound="aevalsrc=exprs='0.4*exp(-30*mod(t,1))*sin(2*PI*if(lt(mod(t,10),1),1320,880)*mod(t,1))':s=48000:d=$long,asetnsamples=n=960[sound]"

ffmpeg -hide_banner -loglevel error -y -filter_complex "$picture;$sound" -map '[picture]' -map '[sound]' -t "$long" \
  -c:v libvpx-vp9 -b:v 0 -crf 44 -g $rate -keyint_min $rate -deadline good -cpu-used 4 -row-mt 1 -threads 2 \
  -c:a libopus -b:a 24k -ac 1 -map_metadata -1 -fflags +bitexact -metadata title='WatchParty sample film' "$output"
echo "$output: $(stat -c %s "$output") bytes"
