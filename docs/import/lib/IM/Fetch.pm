package IM::Fetch;

# The first step: the history of LeanCloud, page by page, as it was received.
#
#     DIR/pages/0001/app/000001.json          the walk over the whole app
#     DIR/pages/0001/conv/c3/ID/000001.json   one for each conversation
#     DIR/pages/0001/sys/ID/CLIENT/000001.json of a system conversation
#     DIR/pages/0001/errors.jsonl             walks that ended with an error
#
# A directory below pages/ is one pull.  A walk goes from the newest to the
# oldest message; it has ended when its last page is empty, or older than the
# window.  Whatever is not there yet is fetched, so a run that was interrupted
# is simply repeated.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(hmac_sha1_hex);
use File::Path qw(make_path);
use Time::HiRes qw(time);

use IM::HTTP;
use IM::JSON qw(decode_json encode_json string object);
use IM::Pool;
use IM::Progress;
use IM::Tables;

my $LIMIT = 1000;
my $JOBS_MAX = 8;       # what the service bears


# %o: dir, url, auth (key, sign), jobs, window (seconds), app, conversations,
# tables, subscribers, client, wait, tries, dry_run, quiet

sub run {
    my (%o) = @_;

    die "--jobs is 1 to $JOBS_MAX\n" if $o{jobs} < 1 || $o{jobs} > $JOBS_MAX;
    my $secret = $o{dry_run} ? undef : secrets($o{secrets});
    my ($pull, $since) = pull($o{dir}, $o{window}, $o{dry_run});

    my @files = IM::Tables::files($o{dir}, $o{tables});
    my $next = walks(\%o, \@files);

    if ($o{dry_run}) {
        my %n = (walks => 0, ended => 0, begun => 0);
        while (my $walk = $next->()) {
            my ($pages, $cursor, $ended) = resume("$pull/$walk->{dir}", $since);
            $n{walks}++;
            $n{$ended ? 'ended' : 'begun'}++ if $pages;
        }
        print "would fetch into $pull: $n{walks} walks, $n{ended} of them have"
            . " ended, $n{begun} would be resumed\n";
        return 0;
    }

    my %http = (url => $o{url}, wait => $o{wait}, tries => $o{tries}, child => 1,
                headers => sub { auth($o{auth}, $secret) });
    IM::HTTP->new(%http);       # is it a URL that can be used?

    my $pool = IM::Pool->new($o{jobs}, sub {
        my ($text, $note) = @_;
        my $walk = decode_json($text);
        my $http = IM::HTTP->new(%http, note => sub {
            my ($r, $s) = @_;
            $note->(object(wait => string(IM::HTTP::reason($r)), seconds => $s));
        });
        return encode_json(walk($http, $walk, "$pull/$walk->{dir}", $since, $note,
                                $o{client} ? signature($secret, $o{client}) : undef));
    });
    my $status = all($pool, $next, $pull, $secret, \%o);
    $pool->stop;
    return $status;
}


sub all {
    my ($pool, $next, $pull, $secret, $o) = @_;
    my %n = (walks => 0, ended_before => 0, pages => 0, rows => 0, errors => 0);
    my $progress = IM::Progress->new(quiet => $o->{quiet}, unit => 'messages');
    my (%walk, $stop);

    # one line for each walk that failed, of this run

    open my $errors, '>', "$pull/errors.jsonl" or die "errors.jsonl: $!\n";

    while (1) {
        for my $i ($pool->idle) {
            last if $stop;
            my $walk = $next->() or last;
            $walk{$i} = $walk;
            $pool->give($i, encode_json($walk));
        }
        last if !$pool->busy;

        for ($pool->wait(1)) {
            my ($i, $kind, $text) = @$_;
            my $r = decode_json($text);

            if ($kind eq 'note') {
                if ($r->{wait}) {
                    $progress->line(hide("waiting $r->{seconds} s: $r->{wait}", $secret));
                } else {
                    $n{pages}++;
                    $n{rows} += $r->{rows};
                    $progress->add($r->{rows});
                }
                next;
            }

            $n{walks}++;
            $n{ended_before} += $r->{before};
            next if !defined $r->{error};

            my $name = $walk{$i}{dir};
            my $error = hide($r->{error}, $secret);
            $n{errors}++;
            $progress->line("$name: $error");
            print {$errors} object(walk => string($name), error => string($error)), "\n";

            # the key is wrong: no other walk will do better
            $stop = 1 if $r->{error} =~ /^401/ || $name eq 'app' && $r->{error} =~ /^403/;
        }
        $progress->show("$n{walks} walks, $n{errors} errors");
    }

    close $errors or die "errors.jsonl: $!\n";
    $progress->end;
    print "$pull: $n{walks} walks ($n{ended_before} had ended before),"
        . " $n{pages} new pages with $n{rows} rows, $n{errors} walks with errors"
        . ($n{errors} ? " (errors.jsonl; run it again to repeat these)" : '') . "\n";
    return $n{errors} ? 1 : 0;
}


# One walk; the result has pages, rows, before (it had ended) and error.

sub walk {
    my ($http, $walk, $dir, $since, $note, $sign) = @_;
    my ($pages, $cursor, $ended) = resume($dir, $since);
    my %result = (before => $ended ? 1 : 0);

    make_path($dir);

    while (!$ended) {
        my $query = [ limit => $LIMIT, $cursor ? @$cursor : (),
                      $sign ? $sign->($walk->{id} // '') : () ];
        my $r = $http->request(GET => $walk->{path}, $query);
        return { %result, error => IM::HTTP::reason($r) } if $r->{status} != 200;

        my $rows = rows($r->{content})
            // return { %result, error => 'the answer is not a JSON array' };
        my $last = cursor($rows);
        return { %result, error => 'no row of the page has msg-id and timestamp' }
            if @$rows && !$last;
        return { %result, error => 'the page does not go back in time' }
            if $last && $cursor && ($last->[1] > $cursor->[1]
               || $last->[1] == $cursor->[1] && $last->[3] eq $cursor->[3]);

        store(sprintf('%s/%06d.json', $dir, ++$pages), $r->{content});
        $note->(object(rows => scalar @$rows));
        $cursor = $last;
        $ended = !$last || $last->[1] < $since;
    }

    return \%result;
}


# the number of pages, the last record received, whether the walk has ended

sub resume {
    my ($dir, $since) = @_;
    my ($pages, $ended) = (0, 0);

    opendir my $d, $dir or return (0, undef, 0);
    /^(\d+)\.json$/ && $1 > $pages and $pages = $1 + 0 for readdir $d;
    return (0, undef, 0) if !$pages;

    my $file = sprintf '%s/%06d.json', $dir, $pages;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    my $rows = rows(do { local $/; <$fh> }) or die "$file is not a page: remove it\n";
    my $cursor = cursor($rows);
    return ($pages, $cursor, !$cursor || $cursor->[1] < $since);
}


sub rows {
    my ($bytes) = @_;
    my ($rows) = eval { decode_json($bytes) };
    return ref $rows eq 'ARRAY' ? $rows : undef;
}


# where the next page starts: HTTP::Tiny percent-encodes "+" in the id

sub cursor {
    my ($rows) = @_;
    for my $row (reverse @$rows) {
        next if ref $row ne 'HASH';
        my ($time, $id) = @$row{qw(timestamp msg-id)};
        return [ timestamp => $time, msgid => $id ]
            if defined $id && length $id && ($time // '') =~ /^\d+$/;
    }
    return;
}


# the file is whole, or not there

sub store {
    my ($file, $bytes) = @_;
    open my $fh, '>:raw', "$file.part" or die "$file: $!\n";
    print {$fh} $bytes or die "$file: $!\n";
    $fh->flush && $fh->sync or die "$file: $!\n";
    close $fh or die "$file: $!\n";
    rename "$file.part", $file or die "$file: $!\n";
}


# the directory of the pull, and from when on messages are wanted

sub pull {
    my ($dir, $window, $dry) = @_;
    my @pulls = sort grep { m{/\d{4,}$} } glob "$dir/pages/*";
    my $last = @pulls ? $pulls[-1] =~ s{.*/}{}r : 0;

    if (@pulls && !defined $window) {
        open my $fh, '<', "$pulls[-1]/since" or die "$pulls[-1]/since: $!\n";
        return ($pulls[-1], int <$fh>);
    }

    my $pull = sprintf '%s/pages/%04d', $dir, $last + 1;
    my $since = $window ? int((time - $window) * 1000) : 0;
    if (!$dry) {
        make_path($pull);
        store("$pull/since", "$since\n");
    }
    return ($pull, $since);
}


# a function that returns the next walk

sub walks {
    my ($o, $files) = @_;
    my @first = $o->{app} ? { path => '1.2/rtm/messages', dir => 'app' } : ();
    my $rows = $o->{conversations}
             ? IM::Tables::rows($files, '_Conversation') : sub { };

    my $fh;
    if (defined $o->{subscribers}) {
        open $fh, '<', $o->{subscribers} or die "$o->{subscribers}: $!\n";
    }

    return sub {
        return shift @first if @first;
        if ($fh && defined(my $line = <$fh>)) {
            return subscriber($line) // die "$o->{subscribers} line $.: conv_id and"
                . " client_id are needed\n";
        }
        while (my ($row) = $rows->()) {
            my $id = $row->{objectId} // '';
            next if $id !~ /^[0-9A-Za-z_-]{2,64}$/ || $row->{sys};
            my $kind = $row->{tr} ? 'chatrooms' : 'conversations';
            return { path => "1.2/rtm/$kind/$id/messages", id => $id,
                     dir => 'conv/' . substr($id, -2) . "/$id" };
        }
        return;
    };
}


sub subscriber {
    my ($line) = @_;
    my ($row) = eval { decode_json($line) };
    my ($conv, $client) = ref $row eq 'HASH' ? @$row{qw(conv_id client_id)} : ();
    return undef if ($conv // '') !~ /^[0-9A-Za-z_-]{2,64}$/ || !length($client // '');

    utf8::encode($client);
    $client =~ s/([^A-Za-z0-9_-])/sprintf '%%%02X', ord $1/ge;
    return { path => "1.2/rtm/service-conversations/$conv/subscribers/$client/messages",
             id => $conv, dir => "sys/$conv/$client" };
}


# --- secrets

# From the environment, or from a file that nobody else can read: lines
# NAME=VALUE.

sub secrets {
    my ($file) = @_;
    my %s = map { $_ => $ENV{$_} } qw(LC_APP_ID LC_MASTER_KEY);

    if (defined $file) {
        open my $fh, '<', $file or die "$file: $!\n";
        my ($mode, $uid) = (stat $fh)[2, 4];
        die "$file can be read by others: chmod 600 $file\n" if $mode & 077;
        die "$file belongs to another user\n" if $uid != $>;
        while (<$fh>) {
            $s{$1} = $2 if /^\s*(LC_APP_ID|LC_MASTER_KEY)\s*=\s*(\S+)\s*$/;
        }
    }

    length($s{$_} // '') or die "$_ is neither in the environment nor in a file"
        . " given with --secrets\n" for qw(LC_APP_ID LC_MASTER_KEY);
    return \%s;
}


sub auth {
    my ($how, $s) = @_;
    my $ms = int(time * 1000);
    return ('x-lc-id' => $s->{LC_APP_ID}, $how eq 'sign'
        ? ('x-lc-sign' => md5_hex($ms . $s->{LC_MASTER_KEY}) . ",$ms,master")
        : ('x-lc-key' => "$s->{LC_MASTER_KEY},master"));
}


# for apps that demand signed history

sub signature {
    my ($s, $client) = @_;
    return sub {
        my ($conv) = @_;
        my $ts = int(time * 1000);
        my $nonce = substr md5_hex(rand() . $ts . $$), 0, 16;
        my $text = join ':', $s->{LC_APP_ID}, $client, $conv, $nonce, $ts;
        return (client_id => $client, nonce => $nonce, signature_ts => $ts,
                signature => hmac_sha1_hex($text, $s->{LC_MASTER_KEY}));
    };
}


# what a server repeats of a request must not be printed

sub hide {
    my ($text, $s) = @_;
    $text =~ s/\Q$_\E/***/g for grep { length } @$s{qw(LC_MASTER_KEY LC_APP_ID)};
    return $text;
}


1;
