package Test::Fetch;

# im-import fetch against Test::LeanCloud, in a directory of its own.

use strict;
use warnings;

use Exporter qw(import);
use File::Find;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json encode_json);

use Test::IM;
use Test::LeanCloud;

our @EXPORT = qw(row table server start fetch pages everything put $dir $tool $out
                 $app $key);

our $tool = "$Test::IM::ROOT/docs/import/im-import";
our $dir = tempdir('im-fetch-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
our ($app, $key) = ($Test::LeanCloud::APP, $Test::LeanCloud::KEY);
our $out;       # of the last fetch

$ENV{LC_APP_ID} = $app;
$ENV{LC_MASTER_KEY} = $key;


my $n = 0;

# ids as they are there, with a +

sub row {
    my ($to, $time, $text) = @_;
    my $id = substr unpack('H*', pack 'd', rand) . "+_$time$text", 0, 22;
    $id =~ tr/ /./;
    return { 'msg-id' => sprintf('%s%05d', substr($id, 0, 17), $n++), to => $to,
             'conv-id' => "${to}00000000", from => 'u_lan', timestamp => $time,
             bin => JSON::PP::false, 'from-ip' => '203.0.113.7',
             data => encode_json({ _lctype => -1, _lctext => $text }) };
}


sub table {
    my ($file, @ids) = @_;
    mkdir $file =~ s{/[^/]*$}{}r;
    put($file, qq(#filetype:JSON-streaming {"type":"Class","class":"_Conversation"}\n)
        . join '', map { encode_json({ objectId => $_, m => [qw(u_lan u_mo)],
              name => 'n', createdAt => '2026-06-02T09:10:11.120Z' }) . "\n" } @ids);
    return $file;
}


sub server {
    my ($name, %o) = @_;
    return Test::LeanCloud->new("$dir/server-$name", %o)->start;
}


sub arguments {
    my ($lc, $project, @more) = @_;
    return ($tool, 'fetch', '--dir', $project, $lc ? ('--url', $lc->url) : (),
            (grep { $_ eq '--wait' } @more) ? () : ('--wait', 0.05), @more);
}


sub start {
    my @command = arguments(@_);
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open STDOUT, '>', "$dir/out";
    open STDERR, '>&', \*STDOUT;
    exec @command or die;
}


sub fetch {
    my $pid = start(@_);
    waitpid $pid, 0;
    my $status = $? >> 8;
    $out = slurp("$dir/out");
    return $status;
}


# the rows of all pages, in order

sub pages {
    my ($path) = @_;
    return map { @{ decode_json(slurp($_)) } } sort glob "$path/*.json";
}


sub everything {
    my ($path) = @_;
    my $all = '';
    find(sub { $all .= slurp($_) if -f }, $path);
    return $all;
}


sub put {
    my ($file, $text) = @_;
    open my $fh, '>', $file or die "$file: $!";
    print {$fh} $text;
    close $fh;
}


1;
